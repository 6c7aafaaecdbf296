"""Intervals that hold at all sample sizes at once: for whoever looks every night and may stop at any of them.

No command reaches it yet: it waits for the monitor, which looks again every day.
"""

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


def _mixing(planned: int, miss: float) -> float:
    """Return the variance of the mixing distribution for which the sequence is tightest at the planned number of units.

    Source: Waudby-Smith et al. (2024), equation 11.
    """
    log_term = -2 * math.log(miss)
    return (log_term + math.log(log_term + 1)) / planned
