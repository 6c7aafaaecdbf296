"""Days on which a version that is rolled out decides for nobody, though what it replaces decides for the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from rl.rollout.mismatch import SURELY_MISMATCHED


@dataclass(frozen=True)
class SilentDays:
    """The last days that count of a stage, where the new version decided for nobody on them.

    Attributes:
        first: of them.
        n_days: of them, those on which what it replaces decided; others, as while the whole service is down, don't
            count.
        n_decisions: that arrived of the new arm's shoppers on these days.
        n_fallback: of these, those that the fallback made.
    """

    first: date
    n_days: int
    n_decisions: int
    n_fallback: int


def is_surely_silent(n_replaced: int, share: float) -> bool:
    """Return whether it isn't by lots that the new version decided for nobody.

    Args:
        n_replaced: shoppers for whom what it replaces decided meanwhile.
        share: with which each shopper who is decided for is one of those who get the new version.
    """
    if not n_replaced:
        return False
    return share >= 1 or n_replaced * math.log1p(-share) < math.log(SURELY_MISMATCHED)
