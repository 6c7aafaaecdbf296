"""What a night's candidate gains over the shop's own rule, which a control group keeps.

The behavior policy is that only until something is served: after a first promotion it is mostly the champion, and what
a launch is held against is control. So the rule's value is the mean of episodes that it began itself. They are weighted
so that days before and since anything was served count for it as they do for the candidate: of the first it has all
episodes, of the others those of shoppers who were held out, or not drawn yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.figures.values import CONTROL
from rl.gate.evidence import extra_standard_error
from rl.gate.rules import GateEvidence
from rl.ope.intervals.intervals import Interval, cautious_bounds
from rl.ope.intervals.sums import RatioSums, difference, sums_by_unit
from rl.ope.propensities.cross_fit_variance import widened
from rl.ope.report import BEHAVIOR, PolicyEvaluation
from rl.ope.samples.sample import EvaluationSample

IsOurs = Callable[[str], bool]
"""Whether decisions under a policy version were a service's: a registered version's, a mixture's, the fallback's."""


FEWEST_SHOPPERS = 30
"""Of control: the mean of fewer has no bounds to rely on."""


@dataclass(frozen=True)
class GainOverControl:
    """The candidate's value less the shop's own rule's.

    Attributes:
        baseline: `behavior` where it is the gate's own gain, since the shop's own rule made the log; else `control`.
        interval: bounds at the night's level each.
        control_value: of the shop's own rule.
    """

    baseline: str
    interval: Interval
    control_value: float


def gain_over_control(
    evidence: GateEvidence, evaluation: PolicyEvaluation, test: LoggedEpisodes, *, is_ours: IsOurs, alpha: float
) -> GainOverControl | None:
    """Return the gain over the shop's own rule; None where nothing can be weighted, or the rule decided for too few.

    Its bounds hold what estimating propensities adds, as the gate's do, and not what the gate lowers its own by.

    Args:
        evidence: that the gate read.
        evaluation: of the reward, with its samples.
        test: the episodes that it is of.
        is_ours: whose decisions are a service's.
        alpha: one-sided level of each bound.
    """
    gated, estimator = evidence.difference, evidence.estimator
    if not evidence.is_logged or gated is None:
        return None
    weight = control_weights(test, is_ours)
    if evidence.baseline == BEHAVIOR and bool((weight == 1).all()):
        return GainOverControl(BEHAVIOR, gated, evaluation.sums[BEHAVIOR, estimator].value())
    if len(np.unique(test.unit[weight > 0])) < FEWEST_SHOPPERS:
        return None
    control = _weighted_mean(evaluation.sample(BEHAVIOR), weight)
    interval = cautious_bounds(
        difference(evaluation.sums[evidence.candidate, estimator], control),
        alpha=alpha,
        resampling=evaluation.settings.resampling,
    )
    interval = widened(interval, extra_standard_error(evidence, evaluation))
    return GainOverControl(CONTROL, interval, control.value())


def control_weights(test: LoggedEpisodes, is_ours: IsOurs) -> FloatArray:
    """Return what each episode counts for in the value of the shop's own rule, 0 for those it didn't begin, `(n,)`.

    Its episodes from the first on that a service began count for as much together as all of that time, and likewise
    those before. Where a service began none, each counts once; where it left none to the rule, none counts.
    """
    begun = test.policy_version[test.offsets[:-1]]
    ours = np.array([is_ours(name) for name in test.policy_versions], dtype=np.bool_)[begun]
    if not ours.any():
        return np.ones(test.n_episodes)
    since = test.start_time >= test.start_time[ours].min()
    if not (since & ~ours).any():
        return np.zeros(test.n_episodes)
    share = np.count_nonzero(since & ~ours) / np.count_nonzero(since)
    return np.where(ours, 0.0, np.where(since, 1 / share, 1.0))


def _weighted_mean(sample: EvaluationSample, weight: FloatArray) -> RatioSums:
    """Return sums whose value is the weighted mean over episodes of the discounted reward."""
    earned = sample.per_episode(sample.discount * sample.reward)
    sums = [sums_by_unit(each, sample.unit, sample.n_units) for each in (weight * earned, weight)]
    return RatioSums(sample.unit_ids, *(each[:, None] for each in sums))
