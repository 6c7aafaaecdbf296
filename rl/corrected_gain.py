"""A promoted gain, corrected for having been promoted for being large."""

from __future__ import annotations

import math

_WIDTH = 0.3
"""Standard errors above the threshold over which the correction runs out; see `corrected_gain`."""


def corrected_gain(value: float, *, lower: float, standard_error: float) -> float | None:
    """The gain less what luck adds to it, so that over many promotions the corrected gains average what is true.

    Only gains whose lower bound is above 0 are promoted. Among those, the estimate of a candidate with true gain m
    (both in standard errors, threshold k) is too high by p(k - m) / P(k - m), the normal density at the threshold over
    the probability of passing it: luck counts by how densely estimates lie *at* the threshold, whatever m is. So the
    correction is taken from those that passed by a hair alone: 2 / w (1 - u / w) standard errors at a distance u <= w
    beyond the threshold, whose mean over promotions is that bias as w gets small, for every m at once; w = .3 leaves
    less than .05 standard errors for gains within a standard error of the threshold or above.

    A gain that passed by more than .3 standard errors therefore stands as it was seen, and one that passed by a hair
    loses up to 6.7 standard errors and comes out negative. Neither says much of the single night: it is the average
    over promotions that is right. A median-unbiased or maximum-likelihood correction (Andrews, Kitagawa and McCloskey
    2024) has no finite mean here: it falls without limit towards the threshold.

    None where the gain didn't pass, or has no spread.

    Args:
        value: the estimated gain.
        lower: the gate's lower bound of it, at the night's level.
        standard_error: of it.

    Source: the bias is that of a truncated normal mean (Johnson, Kotz and Balakrishnan 1994, 13.134).
    """
    if not (math.isfinite(value) and math.isfinite(lower) and standard_error > 0) or lower <= 0:
        return None
    beyond = lower / standard_error
    return value - standard_error * 2 / _WIDTH * max(0.0, 1 - beyond / _WIDTH)
