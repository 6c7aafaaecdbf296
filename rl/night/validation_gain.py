"""How sure a policy's gain over the log is on validation episodes, without a fitted model."""

from __future__ import annotations

from rl.data.logged_episodes import LoggedEpisodes, Policy
from rl.ope.estimators.importance_sampling import on_policy, wpdis
from rl.ope.intervals.intervals import standard_error
from rl.ope.intervals.sums import difference
from rl.ope.report import EvaluationSettings
from rl.ope.samples.sample import evaluation_sample

_ROUNDING = 1e-5
"""Share of the logged mean's error below which a gain's is rounding: networks compute in single precision."""


def gain_in_standard_errors(policy: Policy, validation: LoggedEpisodes, settings: EvaluationSettings) -> float:
    """Return the paired gain by weighted per-decision importance sampling over its standard error; 0 without one.

    Networks of one training run are much alike, so their estimates err together and can be told apart by less than
    their intervals suggest. Don't read it as a value: it serves to compare such networks.

    Args:
        policy: evaluation policy.
        validation: with logged propensities.
        settings: discount, steps and clipping of the evaluation.

    Raises:
        UnsupportedEstimator: the log can't be weighted.
    """
    value = wpdis(
        evaluation_sample(
            policy, validation, discount=settings.discount, steps=settings.steps, clip=settings.weight_clip
        )
    )
    logged = on_policy(evaluation_sample(None, validation, discount=settings.discount, steps=settings.steps))
    gain = difference(value, logged)
    error = standard_error(gain)
    return gain.value() / error if error > _ROUNDING * standard_error(logged) else 0.0
