"""How a night's candidate's returns are distributed beside its baseline's: who pays for a higher mean."""

from __future__ import annotations

from dataclasses import dataclass

from rl.errors import UnsupportedEstimator
from rl.night.evaluation import NightEvaluation
from rl.ope.report import IMPLIED
from rl.ope.returns.return_comparison import ReturnComparison, compare_returns


@dataclass(frozen=True)
class ReturnsReport:
    """The distribution of returns of candidate and baseline on the test episodes.

    Attributes:
        baseline: name, as in the gate's evidence.
        comparison: None where refused.
        refusal: why there is no figure; None where there is one.
    """

    baseline: str
    comparison: ReturnComparison | None = None
    refusal: str | None = None


def night_returns(night: NightEvaluation) -> ReturnsReport:
    """Return both policies' distributions of returns, or why there are none.

    The bounds leave out what estimating the propensities adds. A limit on weights holds here too: it moves the
    distribution towards the log's.

    Args:
        night: its evaluation; the weights are those that its report used.
    """
    baseline, settings = night.evidence.baseline, night.evaluation.settings
    if not night.evidence.is_logged:
        return ReturnsReport(baseline, refusal=IMPLIED)
    try:
        comparison = compare_returns(
            night.samples.candidate, night.samples.baseline, level=settings.confidence, resampling=settings.resampling
        )
    except UnsupportedEstimator as error:
        return ReturnsReport(baseline, refusal=str(error))
    return ReturnsReport(baseline, comparison)
