"""A point of every unit at one moment: what would be seen if all of them were decided then."""

from __future__ import annotations

import numpy as np

from conf.kernel.arrays import MICROS_PER_DAY, IntArray
from conf.kernel.calendar import Calendar
from conf.kernel.points import CLOSING, NO_DECISION, NO_END, Points
from conf.kernel.stream import Stream


def moment_points(stream: Stream, time_us: int, calendar: Calendar) -> Points:
    """Return one point for each unit of the stream, in their order; no running episode is seen from it.

    Args:
        stream: events of units.
        time_us: the moment, UTC microseconds.
        calendar: of the business zone.
    """
    units = stream.unit[stream.starts[:-1]]
    nothing = np.zeros(len(units), dtype=np.int64)
    times = nothing + time_us
    local_us: IntArray = calendar.local_us(times)
    # First row and end alike: features of delay `none` have nothing to see.
    ends = stream.starts[1:]
    return Points(
        unit=units,
        time_us=times,
        local_us=local_us,
        as_of_day=local_us // MICROS_PER_DAY,
        first_row=ends,
        row_end=ends,
        kind=nothing + CLOSING,
        decision=nothing + NO_DECISION,
        episode=np.arange(len(units), dtype=np.int64),
        step=nothing,
        end=nothing + NO_END,
    )
