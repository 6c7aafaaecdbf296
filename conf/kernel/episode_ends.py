"""How episodes end, and when their reward is settled."""

from __future__ import annotations

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray
from conf.kernel.points import NO_END, TERMINAL, TIMEOUT


def ends(*, is_last: BoolArray, is_closed: BoolArray, is_bounded: BoolArray) -> IntArray:
    """Return how each decision's row ended, `(n_decisions,)`.

    Args:
        is_last: nothing was decided after it in what the clock counts as one visit.
        is_closed: the visit ended by itself, and nothing can join it any more: the watermark has passed its closing.
        is_bounded: it is the last step that an episode may have.
    """
    is_terminal = is_last & is_closed
    is_timeout = (is_last | is_bounded) & ~is_terminal
    return np.where(is_terminal, TERMINAL, np.where(is_timeout, TIMEOUT, NO_END))


def has_settled(time_us: IntArray, *, window_us: int, horizon_end_us: int) -> BoolArray:
    """Return True for decisions whose attribution window had closed when the horizon's day ended."""
    return time_us + window_us <= horizon_end_us
