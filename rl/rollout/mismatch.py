"""Whether the arms are as large as they were drawn: where not, one arm's shoppers or decisions went missing."""

from __future__ import annotations

from scipy.special import chdtrc

SURELY_MISMATCHED = 0.001
"""P-value below which a stage doesn't grow."""

_LEAST_EXPECTED = 5.0


def size_mismatch(n_new: int, n_replaced: int, share: float) -> float:
    """Return the p-value of the arms' sizes, 1 where there are too few shoppers to tell.

    Args:
        n_new: shoppers who came for the first time since they were drawn to get the new version. Later visits don't
            count: a version that brings shoppers back has more of them, and nothing is wrong.
        n_replaced: likewise, of the others.
        share: who were to get it.

    Source: Fabijan et al. (2019): a chi-square test with one degree of freedom.
    """
    n = n_new + n_replaced
    expected = n * share, n * (1 - share)
    if min(expected) < _LEAST_EXPECTED:
        return 1.0
    statistic = sum((found - due) ** 2 / due for found, due in zip((n_new, n_replaced), expected, strict=True))
    return float(chdtrc(1, statistic))
