"""Intervals that hold at all looks at once: for whoever looks every night and may stop at any of them."""

from __future__ import annotations

import math

import numpy as np

from rl.errors import EvaluationError
from rl.ope.intervals.intervals import Interval, require_units, standard_error
from rl.ope.intervals.sums import RatioSums


def confidence_sequence_interval(sums: RatioSums, *, level: float, planned_units: int = 2000) -> Interval:
    """Return the asymptotic confidence sequence of the mean over units, as one more look at a growing log.

    Half-width sqrt(V (1 + 1 / (n s)) log((1 + n s) / (1 - level)^2) / n), with V the variance of the units'
    influence and s chosen so that it is tightest at `planned_units`. The probability that *any* of the looks misses is
    at most 1 - level, however often and for whatever reason one stops; an interval for one look misses sooner or later.
    At its best some one and a half times as wide as that one.

    It holds for one policy and a log to which independent units are added: what a champion earns, watched nightly. It
    doesn't for windows that forget, or for another candidate each night: that is what the gate's allowance is for.
    Asymptotic: don't trust it below some hundred units.

    Args:
        sums: over all units seen so far.
        level: two-sided, over all looks together.
        planned_units: number of units at which it shall be tightest, the same at all looks: one that follows the log
            gives the guarantee up.

    Raises:
        EvaluationError: fewer than two units, or no units planned.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), theorem 2.2 and equation 7; Robbins (1970).
    """
    require_units(sums)
    if planned_units < 2:
        raise EvaluationError(f"a confidence sequence needs at least two planned units, got {planned_units}")
    miss, n = 1 - level, sums.n_units
    mixing = _mixing(planned_units, miss)
    variance = float(np.square(sums.influence()).sum() / (n - 1))
    spread = variance * (n * mixing + 1) / (n * n * mixing) * math.log((n * mixing + 1) / miss**2)
    reach, value = math.sqrt(spread), sums.value()
    return Interval(value, value - reach, value + reach, level, "confidence sequence", standard_error(sums))


def information_sequence_interval(
    value: float, error: float, *, level: float, planned_error: float, method: str = "confidence sequence"
) -> Interval:
    """Return the confidence sequence of an estimate that grows surer, as one more look at it.

    Time is what the estimate knows, 1 / error^2, and not the number of units: units that come back make it surer, and
    what one unit brings on several days isn't independent. It is enough that an estimate varies with later ones at
    least as if what came in between were independent of what was there before (Slepian 1962: of two normal processes of
    the same variances, the one that hangs together more crosses a boundary less often). Shoppers who differ from each
    other, and come back, only add to that.

    Half-width error * sqrt((1 + 1 / x) log((1 + x) / (1 - level)^2)) with x = s (planned_error / error)^2, and s such
    that it is tightest where the error is the planned one: there about one and a half times that of a single look.

    Asymptotic: don't trust it where fewer than some hundred units stand behind the error.

    Args:
        value: the estimate.
        error: its standard error, clustered by what is independent.
        level: two-sided, over all looks together.
        planned_error: standard error at which it shall be tightest, the same at all looks: one that follows the log
            gives the guarantee up.
        method: what the interval is called.

    Raises:
        EvaluationError: an error that isn't above 0.

    Source: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), theorem 2.2 in the time of its variance; Robbins
    (1970).
    """
    if not (error > 0 and planned_error > 0 and math.isfinite(error)):
        raise EvaluationError(
            f"a confidence sequence needs standard errors above 0, got {error:g} now and {planned_error:g} planned"
        )
    miss = 1 - level
    clock = _mixing(1, miss) * (planned_error / error) ** 2
    reach = error * math.sqrt((1 + 1 / clock) * math.log((1 + clock) / miss**2))
    return Interval(value, value - reach, value + reach, level, method, error)


def _mixing(planned: int, miss: float) -> float:
    """Return the variance of the mixing distribution for which the sequence is tightest at the planned number of units.

    Source: Waudby-Smith et al. (2024), equation 11.
    """
    log_term = -2 * math.log(miss)
    return (log_term + math.log(log_term + 1)) / planned
