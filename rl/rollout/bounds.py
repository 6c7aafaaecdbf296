"""Bounds of a relative difference that hold at all looks of a stage at once, whoever looks how often."""

from __future__ import annotations

import math

from scipy.special import ndtri

_TIGHT_AT = 3.0
"""The bounds are tightest where the standard error is a third of the margin: about where a margin can be shown."""


def anytime_reach(standard_error: float, *, level: float, margin: float) -> float:
    """Return how far a one-sided bound lies from the estimate, so that it is missed at any look with `level` at most.

    se sqrt(2 (1 + 1/k) log(1 + sqrt(1 + k) / (2 level))), k = v / se^2, the bound of a half-normal mixture over
    effects of variance v. It holds for a Brownian motion whose time is the information 1 / se^2. The estimate of a
    stage is one where all shoppers are seen from its start: with persistent differences between shoppers of variance a
    and daily noise e, 1 / (a + e / days) is the information, and its increments are independent. Where some come later,
    what is seen at two looks is more alike than that, and bounds of that kind are crossed less often (Slepian 1962).

    Asymptotic: don't trust it below some hundred shoppers an arm.

    Args:
        standard_error: of the estimate at this look; positive.
        level: one-sided, over all looks of the stage together.
        margin: difference that is to be told, which sets where the bound is tightest; the same at all looks.

    Source: Robbins (1970): with x = estimate / se sqrt(k / (1 + k)), 2 / sqrt(1 + k) exp(x^2 / 2) F(x), F the normal
    distribution, is a martingale that exceeds 1 / level with probability `level` at most, and exp(x^2 / 2) F(x) is
    exp(x^2 / 2) - 1/2 at least. Asymptotic as in Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024).
    """
    log_term = -2 * math.log(2 * level)
    variance = (log_term + math.log(log_term + 1)) * (margin / _TIGHT_AT) ** 2
    relative = variance / standard_error**2
    return standard_error * math.sqrt(2 * (1 + 1 / relative) * math.log(1 + math.sqrt(1 + relative) / (2 * level)))


def scheduled_reach(standard_error: float, *, level: float, look: int) -> float:
    """Return how far a one-sided bound lies from the estimate at the n-th scheduled look of a stage, from 1.

    That look spends `level` (1 / n - 1 / (n + 1)): all looks together no more than the level, however many there are
    and however they depend on each other (Bonferroni).
    """
    return -standard_error * float(ndtri(level * (1 / look - 1 / (look + 1))))
