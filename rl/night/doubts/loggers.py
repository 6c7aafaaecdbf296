"""What each policy version that made the log says of a night's candidate, and all of them by what each can tell."""

from __future__ import annotations

from dataclasses import dataclass

from rl.errors import UnsupportedEstimator
from rl.gate.rules import GateEvidence
from rl.ope.contenders import Contender
from rl.ope.estimators.registry import estimator
from rl.ope.intervals.intervals import Interval, reaching_intervals
from rl.ope.propensities.balanced_loggers import episode_loggers
from rl.ope.propensities.weighted_loggers import WeightedOverLoggers, weighted_over_loggers
from rl.ope.report import PolicyEvaluation


@dataclass(frozen=True)
class LoggersReport:
    """The candidate's value by who made the log.

    Attributes:
        estimator: that the gate may use.
        by_logger: each version's own value and its share in the mean; None where refused.
        value: the mean weighted by what each version's episodes can tell, between its bounds.
        refusal: why there is none.
    """

    estimator: str
    by_logger: WeightedOverLoggers | None = None
    value: Interval | None = None
    refusal: str | None = None


def night_loggers(evidence: GateEvidence, evaluation: PolicyEvaluation, candidate: Contender) -> LoggersReport | None:
    """Return the candidate's value by policy version; None where one version made the log or none can be weighted.

    The gate reads all episodes as one log, each row weighted by its own propensity: unbiased, but a version far from
    the candidate brings few, large weights. Where the two values lie apart, look at who made the log. The interval
    leaves out what estimating the propensities adds.

    Args:
        evidence: that the gate read.
        evaluation: all policies' values of the reward (not of side metrics).
        candidate: the selected candidate with its test episodes.
    """
    entry, settings = estimator(evidence.estimator), evaluation.settings
    if not evidence.is_logged or not entry.needs_weights or len(set(candidate.test.policy_version.tolist())) < 2:
        return None
    try:
        sample = evaluation.sample(candidate.name)
        found = weighted_over_loggers(entry.sums_of_whole, sample, episode_loggers(candidate.test))
    except UnsupportedEstimator as error:
        return LoggersReport(entry.name, refusal=str(error))
    (interval,) = reaching_intervals([found.sums], level=settings.confidence, resampling=settings.resampling)
    return LoggersReport(entry.name, found, interval)
