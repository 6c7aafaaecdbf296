"""The time from each decision to the next, as exactly as the decisions' own times tell it."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.errors import DatasetError

_MICROSECONDS = 1_000_000
_N_NAMED = 5  # rows that an error names


def elapsed_microseconds(seconds: IntArray, decision_time: IntArray, session: IntArray, offsets: IntArray) -> IntArray:
    """Return the microseconds from each decision to the next one, or to its episode's closing, `(n,)`.

    The table holds whole seconds, decision times their microseconds. So only the closing of a session that nothing was
    decided in afterwards is known to the second alone; where the session goes on in a further episode, that episode's
    first decision is the closing.

    Args:
        seconds: the table's whole seconds to the next decision or closing, `(n,)`.
        decision_time: microseconds since the epoch, `(n,)`, in the order of episodes' starts and of their steps.
        session: of each row, as a code, `(n,)`.
        offsets: start row of each episode and, last, `n`.

    Raises:
        DatasetError: inside an episode, the seconds are others than those between the decision times.
    """
    found = seconds * _MICROSECONDS
    is_inner = np.ones(len(seconds), dtype=bool)
    is_inner[offsets[1:] - 1] = False
    inner = np.flatnonzero(is_inner)
    found[inner] = decision_time[inner + 1] - decision_time[inner]
    bad = inner[found[inner] // _MICROSECONDS != seconds[inner]]
    if bad.size:
        raise DatasetError(
            f"transitions: {bad.size} rows have another time to the next decision (elapsed_seconds) than the decision "
            f"times say, such as rows {bad[:_N_NAMED].tolist()}; build the partitions again"
        )
    last, closing = _followed_episodes(decision_time, session, offsets)
    gap = closing - decision_time[last]
    # Between them an episode may have been set aside, or its start may be another split's: then the seconds disagree.
    agrees = gap // _MICROSECONDS == seconds[last]
    found[last[agrees]] = gap[agrees]
    return found


def _followed_episodes(decision_time: IntArray, session: IntArray, offsets: IntArray) -> tuple[IntArray, IntArray]:
    """Return the last rows of episodes that another one of the same session follows, and when that one starts."""
    first = offsets[:-1]
    order = np.argsort(session[first], kind="stable")
    own, following = order[:-1], order[1:]
    is_same = session[first[own]] == session[first[following]]
    return offsets[1:][own[is_same]] - 1, decision_time[first[following[is_same]]]
