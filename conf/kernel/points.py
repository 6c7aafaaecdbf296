"""The moments at which an observation is taken, whatever clock they come from."""

from __future__ import annotations

from dataclasses import dataclass

from conf.kernel.arrays import BoolArray, IntArray

DECISION, CLOSING = 0, 1
"""Kinds of points: something was decided, or an episode's last decision has had its consequences."""

NO_END, TERMINAL, TIMEOUT = 0, 1, 2
"""How a row ended: not at all, since nothing follows, or cut by the horizon or a bound."""

NO_DECISION = -1


@dataclass(frozen=True)
class Points:
    """Points in order, each column `(n,)` int64; behind each decision stands the point that followed it.

    Attributes:
        unit: whose point it is.
        time_us: its moment, UTC microseconds.
        local_us: its moment on the wall clock of the business zone, microseconds.
        as_of_day: its business day, days since the epoch.
        first_row: first row of the stream that features of the running episode see.
        row_end: the row behind the last one they see: rows from here on come later.
        kind: DECISION or CLOSING.
        decision: which of the stream's decisions it is, NO_DECISION at a closing.
        episode: the episode it belongs to, numbered from 0 in the points' order.
        step: decisions before it in its episode.
        end: NO_END, TERMINAL or TIMEOUT; of a closing NO_END.
    """

    unit: IntArray
    time_us: IntArray
    local_us: IntArray
    as_of_day: IntArray
    first_row: IntArray
    row_end: IntArray
    kind: IntArray
    decision: IntArray
    episode: IntArray
    step: IntArray
    end: IntArray

    def __len__(self) -> int:
        return len(self.unit)

    @property
    def is_decision(self) -> BoolArray:
        """True for the points at which something was decided, `(n,)`."""
        found: BoolArray = self.kind == DECISION
        return found
