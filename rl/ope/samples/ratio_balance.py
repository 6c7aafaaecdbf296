"""Whether a policy's importance ratios average 1, as they must where the log can judge the policy at all."""

from __future__ import annotations

from dataclasses import dataclass

from rl.ope.intervals.intervals import standard_error
from rl.ope.intervals.sums import RatioSums, mean_sums
from rl.ope.samples.sample import EvaluationSample

N_ERRORS = 4.0
"""Standard errors that chance may move the mean by: two in thirty thousand balanced logs lie beyond."""


@dataclass(frozen=True)
class RatioBalance:
    """Mean over logged decisions of evaluation probability over propensity.

    Under the right propensities its expectation is the probability that the policy gives to actions which the logger
    may take, in the logged states: 1 where that is all of them. Below 1, so much of what the policy would do was never
    logged, and whatever a doubly robust estimate says of it is its model's guess; above 1, the propensities are wrong.
    It says nothing of states that the log never reaches.

    Attributes:
        mean: 1 in expectation.
        standard_error: clustered by unit.
    """

    mean: float
    standard_error: float

    def is_kept(self, tolerance: float) -> bool:
        """Return whether the mean is 1 but for chance and for what is tolerated."""
        return abs(self.mean - 1.0) <= max(N_ERRORS * self.standard_error, tolerance)


def ratio_balance(sample: EvaluationSample) -> RatioBalance | None:
    """Return the balance of the sample's ratios before any clipping; None without weights, or with one unit alone.

    Source: the control variate of importance sampling (Owen 2013, Monte Carlo theory, methods and examples, 9.10).
    """
    if sample.weights is None or sample.n_units < 2:
        return None
    return balance_of(mean_sums(sample.weights.ratio, sample.unit_of_row, sample.unit_ids))


def balance_of(sums: RatioSums) -> RatioBalance:
    """Return the balance of ratios whose mean the sums give; its error is NaN with one unit alone."""
    return RatioBalance(sums.value(), standard_error(sums))
