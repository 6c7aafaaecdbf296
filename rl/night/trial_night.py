"""The second look at a frozen version: a whole night of that policy, on episodes that the first look didn't see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from conf.settings import Settings
from rl.data.dataset import Dataset
from rl.data.description import DatasetDescription
from rl.data.splits import SPLIT_NAMES, Intervals, TimeSpan, unseen_splits
from rl.errors import NothingToLearn
from rl.learning.trained_candidates import LoadedCandidate
from rl.night.night import Night, RegistryBefore, whole_night
from rl.policy import StochasticPolicy
from rl.registry.trials import Trial


@dataclass(frozen=True)
class TrialNight:
    """What the second look found, with what its figures are made of.

    Attributes:
        night: of the frozen policy, its only candidate.
        candidates: that policy, by name.
        description: of the splits that it was looked at on.
    """

    night: Night
    candidates: Mapping[str, LoadedCandidate]
    description: DatasetDescription


def trial_night(
    dataset: Dataset, trial: Trial, policy: StochasticPolicy, registered: RegistryBefore, *, settings: Settings
) -> TrialNight:
    """Return what the unseen episodes say of the frozen policy, at the level that was declared.

    Its Q-functions are fitted on the training episodes of the first look. What else that look saw counts among the
    losses of all splits; nothing of it is in the gain.

    Args:
        dataset: of tonight.
        trial: that is due.
        policy: of its version.
        registered: what the registry says tonight.
        settings: what the environment says: home, lake, registry.

    Raises:
        NothingToLearn: no episode was unseen.
        EvaluationError: they can't be evaluated.
    """
    own = replace(_at(dataset, policy), intervals=_splits(dataset, trial))
    if not own.transitions("test").n_episodes:
        raise NothingToLearn(f"no episode up to {trial.planned} started after the first look on {trial.night}")
    level = replace(registered.level, level=trial.level)
    candidates = {policy.name: LoadedCandidate(policy, {0: policy}, _result(), ())}
    night = whole_night(own, candidates, replace(registered, level=level), settings=settings, left_out={})
    return TrialNight(night, candidates, own.describe([policy.name]))


def _splits(dataset: Dataset, trial: Trial) -> Intervals:
    seen = {name: TimeSpan.from_json(trial.splits[name]) for name in SPLIT_NAMES}
    unseen = unseen_splits(dataset.pipeline, seen, horizon=trial.planned)
    return {**unseen, "validation": seen["validation"].up_to(seen["test"])}


def _at(dataset: Dataset, policy: StochasticPolicy) -> Dataset:
    """Return tonight's dataset as the policy sees it, with its own temperature as the only one to choose."""
    scenario = dataset.pipeline.scenario
    own = scenario.policy.model_copy(update={"temperatures": (policy.temperature,)})
    pipeline = dataset.pipeline.model_copy(update={"scenario": scenario.model_copy(update={"policy": own})})
    return replace(dataset, pipeline=pipeline, vocabulary=policy.vocabulary, encoder=policy.encoder)


def _result() -> dict[str, Any]:
    """Return what training left of a policy that nothing was trained for tonight."""
    return {"algorithm": "frozen", "seed": 0, "n_updates": 0, "seconds": {"all": 0.0}}
