"""The ledger of launches: do our offline numbers predict?

Each launch promised a gain and earned one, both over a control group: a gain and never a level, since seasons break
levels. Calibration is the sum of what was earned over the sum of what was promised, luck taken out. Single promises are
judged by their scores.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.page.wording import counted

LEAST_LAUNCHES = 3
"""For an interval: with two, one degree of freedom is left, and hardly any ratio is excluded."""


@dataclass(frozen=True)
class Calibration:
    """How much of what was promised was earned; 1 is honest.

    Attributes:
        n_launches: with a promise and a gain that was seen.
        promised: sum of promised gains, luck taken out.
        earned: sum of earned gains.
        value: earned over promised; None where nothing was promised on the whole.
        lower: lower bound; None where there are too few launches, or no ratio is excluded.
        upper: upper bound, likewise.
        level: two-sided.
    """

    n_launches: int
    promised: float
    earned: float
    value: float | None
    lower: float | None
    upper: float | None
    level: float


def calibration(
    promised: FloatArray, earned: FloatArray, covariance: FloatArray | None = None, *, level: float = 0.95
) -> Calibration:
    """Return the ratio of the sums with Fieller's interval, launches being the units.

    The bounds are the ratios r for which the mean of earned - r promised isn't told from 0 by Student's test: they hold
    also where the sum of promises is hardly told from 0, and are None where that makes them boundless. A launch's own
    errors are in how launches scatter. What launches have in common isn't: a control group that happens to be poor
    raises all of them alike. That part of the variance is added, by the normal quantile since many shoppers tell it, so
    that the interval never becomes narrower by it.

    Args:
        promised: gain of each launch, luck taken out, `(n,)`.
        earned: likewise, `(n,)`.
        covariance: of the earned gains of each two launches, `(n, n)`; NaN of two of which it isn't known, which the
            mean of the others stands for; None where no shopper is in two.
        level: two-sided.

    Raises:
        EvaluationError: numbers of launches that differ.

    Source: Fieller (1954). Of n gains of variance v and covariance c the spread between them tells v - c; the variance
    of their mean is v / n + (n - 1) c / n, that is (v - c) / n + c.
    """
    if promised.shape != earned.shape:
        raise EvaluationError(f"{len(promised)} promises and {len(earned)} earned gains: expected one of each a launch")
    n, total, got = len(promised), float(promised.sum()), float(earned.sum())
    value = got / total if total > 0 else None
    common = 0.0 if covariance is None else _mean_covariance(covariance)
    bounds = _fieller(promised, earned, common, level) if n >= LEAST_LAUNCHES and value is not None else None
    lower, upper = (None, None) if bounds is None else bounds
    return Calibration(n, total, got, value, lower, upper, level)


def _mean_covariance(covariance: FloatArray) -> float:
    """Return the mean over the pairs of which it is known, at least 0; 0 where it is known of none."""
    pairs = covariance[~np.eye(len(covariance), dtype=bool)]
    known = pairs[np.isfinite(pairs)]
    return max(0.0, float(known.mean())) if len(known) else 0.0


def _fieller(promised: FloatArray, earned: FloatArray, common: float, level: float) -> tuple[float, float] | None:
    n = len(promised)
    cover = np.cov(earned, promised) / n * float(stdtrit(n - 1, (1 + level) / 2)) ** 2
    cover[0, 0] += common * float(ndtri((1 + level) / 2)) ** 2
    of_promise = float(promised.mean() ** 2 - cover[1, 1])
    mixed = float(earned.mean() * promised.mean() - cover[0, 1])
    of_earned = float(earned.mean() ** 2 - cover[0, 0])
    root = mixed**2 - of_promise * of_earned
    if of_promise <= 0 or root < 0:
        return None
    return (mixed - math.sqrt(root)) / of_promise, (mixed + math.sqrt(root)) / of_promise


def do_they_predict(found: Calibration) -> str:
    """Return in one sentence whether what nights promise is what launches earn."""
    if not found.n_launches:
        return "No launch has both a promise and a gain that was seen yet: whether offline numbers predict isn't known."
    launches = counted(found.n_launches, "launch", "launches")
    if found.value is None:
        return f"The promises of {launches} sum to nothing, luck taken out: there is nothing to predict."
    earned = f"{launches} earned {100 * found.value:.0f}% of what was promised, luck taken out"
    if found.lower is None or found.upper is None:
        return f"{earned}; too few or too different to say how sure that is."
    between = f"({100 * found.lower:.0f}% to {100 * found.upper:.0f}%)"
    if found.lower > 1:
        return f"{earned} {between}: offline numbers promise too little."
    if found.upper < 1:
        return f"{earned} {between}: offline numbers promise too much."
    return f"{earned} {between}: offline numbers predict, as far as so many launches tell."
