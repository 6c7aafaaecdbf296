"""The policies of a night, each with the episodes as its own encoder sees them, and as estimators read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, LoggedEpisodes, Policy
from rl.ope.report import PolicyEvaluation
from rl.ope.samples.q_function import action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample


@dataclass(frozen=True)
class Contender:
    """A policy with the episodes as its own encoder sees them."""

    name: str
    policy: Policy
    train: LoggedEpisodes
    test: LoggedEpisodes


def contender_sample(contender: Contender, evaluation: PolicyEvaluation) -> EvaluationSample:
    """The sample that the evaluation's report on the contender was made from; no Q-function is fitted again."""
    settings, test = evaluation.settings, contender.test
    fitted = evaluation.fits.get(contender.name)
    return evaluation_sample(
        contender.policy,
        test,
        discount=settings.discount,
        steps=settings.steps,
        clip=settings.weight_clip,
        values=None if fitted is None else action_values(fitted, contender.policy, test),
        reward=test.reward if evaluation.outcome == "reward" else test.metrics[evaluation.outcome],
    )


def evaluated_rows(contender: Contender, evaluation: PolicyEvaluation) -> BoolArray:
    """True for the test rows that the sample holds: those before the last step of the value, `(n,)`."""
    steps = evaluation.settings.steps
    step = contender.test.step
    return np.ones(len(step), dtype=bool) if steps is None else step < steps
