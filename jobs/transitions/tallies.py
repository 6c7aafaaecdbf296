"""What is counted of a partition's events beside its transitions: where rewards went, and how many decisions there are.

Counts merge: those of all partitions are summed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import numpy as np
import pyarrow as pa
from pyspark.sql import Row

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel.arrays import IntArray
from conf.kernel.attribution import ATTRIBUTED, OUTCOMES
from conf.kernel.stream import NO_ID, NO_NUMBER, Stream
from conf.kernel.transitions import AsOf, Transitions

TALLY_DDL = "kind: string, day: date, event_type: string, outcome: string, decision_date: date, n: bigint"
"""A count of events by business day, type and outcome, or of decisions by the day their session started."""

EVENT, DECISION, WITHOUT_ACTION, HANDED = "event", "decision", "decision_without_action", "handed"
"""Kinds: events that rewards count, decisions, those that name no action, and all events that were handed over."""

_TYPES = sorted(EVENT_TYPE_RANK, key=EVENT_TYPE_RANK.__getitem__)
"""Canonical types by their code, which is their rank."""


def tallies_of(stream: Stream, made: Transitions, known: AsOf) -> pa.StructArray:
    """Return the partition's counts as structs of TALLY_DDL."""
    return pa.concat_arrays([_of_events(stream, made), *_of_decisions(stream, made, known), _handed_over(stream)])


def outcomes(tallies: Iterable[Row]) -> list[tuple[date, str, str, date | None, int]]:
    """Return how many events there are by business day, type, outcome and, where attributed, the transition's date."""
    found = (row for row in tallies if row["kind"] == EVENT)
    return [(row["day"], row["event_type"], row["outcome"], row["decision_date"], row["n"]) for row in found]


def _of_events(stream: Stream, made: Transitions) -> pa.StructArray:
    """Counted events by business day, type, outcome and day of the decision's session."""
    found = made.attributed
    is_earned = found.outcome == ATTRIBUTED
    session_day = stream.day[made.sessions.starts[:-1]]
    decided = made.decisions.rows[found.decision[is_earned]]
    decision_day = np.full(len(found.row), NO_NUMBER, dtype=np.int64)
    decision_day[is_earned] = session_day[made.sessions.number[decided]]
    cells = np.stack([stream.day[found.row], stream.type[found.row], found.outcome, decision_day], axis=1)
    (day, kind, outcome, decision_date), n = _counted(cells)
    names = np.array(_TYPES, dtype=object)
    return _structs(
        EVENT,
        day=day,
        event_type=names[kind],
        outcome=np.array(OUTCOMES, dtype=object)[outcome],
        decision_date=decision_date,
        n=n,
    )


def _of_decisions(stream: Stream, made: Transitions, known: AsOf) -> list[pa.StructArray]:
    """Decisions of the days asked for, by the day their session started."""
    rows = made.decisions.rows
    day = stream.day[made.sessions.starts[:-1]][made.sessions.number[rows]]
    is_asked = np.isin(day, known.span)
    lacks_action = made.decisions.action[rows] == NO_ID
    found = []
    for kind, chosen in ((DECISION, is_asked), (WITHOUT_ACTION, is_asked & lacks_action)):
        (days,), n = _counted(day[chosen][:, None])
        nothing = np.full(len(n), None, dtype=object)
        found.append(
            _structs(kind, day=days, event_type=nothing, outcome=nothing, decision_date=np.full_like(n, NO_NUMBER), n=n)
        )
    return found


def _handed_over(stream: Stream) -> pa.StructArray:
    """All events by business day and type: whether what Spark read is what the kernel saw."""
    (day, kind), n = _counted(np.stack([stream.day, stream.type], axis=1))
    nothing = np.full(len(n), None, dtype=object)
    names = np.array(_TYPES, dtype=object)[kind]
    return _structs(HANDED, day=day, event_type=names, outcome=nothing, decision_date=np.full_like(n, NO_NUMBER), n=n)


def handed_over(tallies: Iterable[Row]) -> dict[tuple[date, str], int]:
    """Return how many events of shoppers the kernel saw, by business day and type."""
    return {(row["day"], row["event_type"]): row["n"] for row in tallies if row["kind"] == HANDED}


def _counted(cells: IntArray) -> tuple[IntArray, IntArray]:
    """Return the distinct rows of `(n, n_columns)`, column by column, and how often each stands there."""
    distinct, n = np.unique(cells, axis=0, return_counts=True)
    return distinct.T, n.astype(np.int64)


def _structs(
    kind: str, *, day: IntArray, event_type: object, outcome: object, decision_date: IntArray, n: IntArray
) -> pa.StructArray:
    is_dated = decision_date != NO_NUMBER
    columns = [
        pa.array([kind] * len(n), pa.string()),
        pa.array(day.astype(np.int32)).cast(pa.date32()),
        pa.array(event_type, pa.string()),
        pa.array(outcome, pa.string()),
        pa.array(np.where(is_dated, decision_date, 0).astype(np.int32), mask=~is_dated).cast(pa.date32()),
        pa.array(n),
    ]
    return pa.StructArray.from_arrays(columns, [part.split(":")[0] for part in TALLY_DDL.split(", ")])
