"""Which availability set was in force at a moment, as far as had been delivered by its business day."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from conf.kernel.arrays import IntArray
from conf.kernel.stream import NO_ID


def _nothing() -> IntArray:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class AvailabilitySets:
    """Sets of available actions, each column `(n,)` int64, in any order; and what they offer, where that matters.

    Attributes:
        code: codes of the sets, ascending as their ids are, none 0.
        valid_from_us: from when each was valid, UTC microseconds.
        delivered_us: when the business day of its delivery starts.
        offering_code: code of the set of each offer, `(n_offers,)`; needed where actions are masked alone.
        offered_action: id hash of the action that it offers, `(n_offers,)`.
    """

    code: IntArray
    valid_from_us: IntArray
    delivered_us: IntArray
    offering_code: IntArray = field(default_factory=_nothing)
    offered_action: IntArray = field(default_factory=_nothing)


def no_sets() -> AvailabilitySets:
    """Return the sets of a source that has none."""
    return AvailabilitySets(_nothing(), _nothing(), _nothing())


def set_in_force(sets: AvailabilitySets, time_us: IntArray) -> IntArray:
    """Return the code of the set in force at moments, 0 where none was known, shaped as they are.

    Of the sets known at a moment, the one valid from latest is in force; ties by the greater id.
    """
    known_from = np.maximum(sets.valid_from_us, sets.delivered_us)
    order = np.lexsort((sets.code, sets.valid_from_us, known_from))
    ranked = np.lexsort((sets.code, sets.valid_from_us))
    rank = np.empty(len(order), dtype=np.int64)
    rank[ranked] = np.arange(len(order))
    ruling = np.maximum.accumulate(rank[order])
    codes = np.append(NO_ID, sets.code[ranked][ruling])
    found: IntArray = codes[np.searchsorted(known_from[order], time_us, side="right")]
    return found
