"""Candidate and baseline of a night on the same test episodes, as estimators read them: to look inside a report."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rl.data.dataset import Dataset
from rl.data.logged_episodes import LoggedEpisodes
from rl.night.evaluation import NightEvaluation
from rl.ope.contenders import Contender, contender_sample, evaluated_rows
from rl.ope.estimators.weight_refits import PairedRefits, WeightRefits
from rl.ope.report import BEHAVIOR
from rl.ope.samples.behavior_value import OnlyAction, as_one_action
from rl.ope.samples.q_function import action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from rl.policy import StochasticPolicy
from rl.policy.aligned_policy import AlignedPolicy


@dataclass(frozen=True)
class NightSamples:
    """The selected candidate's sample and that of what it was gated against.

    Attributes:
        candidate: its sample.
        baseline: the champion's, or the behavior policy's.
        refits: of their weights under every fit of estimated propensities.
        contenders: the candidate and the champion with their episodes; None for the behavior policy.
    """

    candidate: EvaluationSample
    baseline: EvaluationSample
    refits: PairedRefits
    contenders: tuple[Contender, Contender | None]


def night_samples(
    dataset: Dataset, night: NightEvaluation, policy: StochasticPolicy, train: LoggedEpisodes
) -> NightSamples:
    """Samples with the weights and Q-functions that the night's report used; nothing is fitted again.

    Args:
        dataset: of the night.
        night: its evaluation.
        policy: the selected candidate.
        train: training split.
    """
    test = night.propensities.episodes
    contender = Contender(policy.name, policy, train, test)
    candidate, repeats = contender_sample(contender, night.evaluation), night.propensities.repeats
    refits = None if repeats is None else WeightRefits.of(repeats, evaluated_rows(contender, night.evaluation))
    if night.evidence.baseline == BEHAVIOR or night.champion is None or night.champion.policy is None:
        return NightSamples(candidate, _behavior_sample(night, test), (refits, None), (contender, None))
    older = night.champion.policy
    own_test = replace(dataset.to_logged_episodes("test", older.encoder), propensity=test.propensity)
    champion = Contender(night.champion.name, AlignedPolicy(older, dataset.vocabulary), train, own_test)
    baseline = contender_sample(champion, night.evaluation)
    return NightSamples(candidate, baseline, (refits, refits), (contender, champion))


def _behavior_sample(night: NightEvaluation, test: LoggedEpisodes) -> EvaluationSample:
    """All weights 1, and state values as if there were one action."""
    settings, fitted = night.evaluation.settings, night.evaluation.fits.get(BEHAVIOR)
    return evaluation_sample(
        None,
        test,
        discount=settings.discount,
        steps=settings.steps,
        clip=settings.weight_clip,
        values=None if fitted is None else action_values(fitted, OnlyAction(), as_one_action(test)),
    )
