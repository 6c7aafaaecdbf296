"""A promoted gain, corrected for having been promoted for being large."""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.stats import norm


def corrected_gain(value: float, *, standard_error: float, alpha: float) -> float | None:
    """The gain that would be exceeded by what was seen in half of all promotions.

    Only gains above a threshold are promoted, so those seen overstate the truth, most where the threshold was only
    just passed. None where the gain didn't pass, or has no spread.

    Args:
        value: the estimated gain.
        standard_error: of it.
        alpha: one-sided level of the gate; a gain passes above its quantile times the standard error.

    Source: the median-unbiased estimate of a truncated normal mean; Andrews, Kitagawa and McCloskey (2024), section 3.
    """
    if not (math.isfinite(value) and standard_error > 0):
        return None
    seen, threshold = value / standard_error, float(norm.isf(alpha))
    if seen <= threshold:
        return None

    def surplus(mean: float) -> float:
        """Log-probability of exceeding what was seen, among gains that pass, against one half."""
        return float(norm.logsf(seen - mean) - norm.logsf(threshold - mean) - math.log(0.5))

    lowest = seen - 60.0  # in standard errors: below this a gain just over the threshold has no finite correction
    if surplus(lowest) > 0:
        return lowest * standard_error
    return float(brentq(surplus, lowest, seen + 1.0)) * standard_error
