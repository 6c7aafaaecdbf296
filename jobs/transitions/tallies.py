"""What is counted of a partition's events beside its transitions: where rewards went, and how many decisions there are.

Counts merge: those of all partitions are summed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date

import numpy as np
import pyarrow as pa
from pyspark.sql import Row

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel.arrays import IntArray
from conf.kernel.attribution import ATTRIBUTED, OUTCOMES
from conf.kernel.earnings import lacks_money, sums_by
from conf.kernel.stream import NO_ID, NO_NUMBER, Stream
from conf.kernel.transitions import AsOf, Rules, Transitions

TALLY_DDL = (
    "kind: string, day: date, event_type: string, outcome: string, decision_date: date, n: bigint, worth: bigint"
)
"""A count of events by business day, type and outcome, or of decisions by the day their session started.

`worth`, in millionths, is what the events are worth, or what the decisions cost.
"""

EVENT, DECISION, WITHOUT_ACTION, HANDED = "event", "decision", "decision_without_action", "handed"
WITHOUT_MONEY = "event_without_money"
"""Kinds: events that rewards count, decisions, those that name no action, all events that were handed over, and
counted events that lack the money which the reward asks for.
"""

_TYPES = sorted(EVENT_TYPE_RANK, key=EVENT_TYPE_RANK.__getitem__)
"""Canonical types by their code, which is their rank."""


def tallies_of(stream: Stream, made: Transitions, rules: Rules, known: AsOf) -> pa.StructArray:
    """Return the partition's counts as structs of TALLY_DDL."""
    counts = [_of_events(stream, made), *_of_decisions(stream, made, known), _handed_over(stream)]
    return pa.concat_arrays([*counts, _without_money(stream, made, rules)])


def outcomes(tallies: Iterable[Row]) -> list[tuple[date, str, date | None, int]]:
    """Return what events are worth by business day, outcome and, where attributed, the transition's date."""
    found = (row for row in tallies if row["kind"] == EVENT)
    return [(row["day"], row["outcome"], row["decision_date"], row["worth"]) for row in found]


def costs(tallies: Iterable[Row]) -> dict[date, int]:
    """Return what the decisions cost, in millionths, by the day their session started."""
    return {row["day"]: row["worth"] for row in tallies if row["kind"] == DECISION}


def without_money(tallies: Iterable[Row]) -> Counter[date]:
    """Return how many counted events lack the money that the reward asks for, by business day."""
    found: Counter[date] = Counter()
    for row in tallies:
        if row["kind"] == WITHOUT_MONEY:
            found[row["day"]] += row["n"]
    return found


def _of_events(stream: Stream, made: Transitions) -> pa.StructArray:
    """Counted events by business day, type, outcome and day of the decision's session."""
    found = made.attributed
    is_earned = found.outcome == ATTRIBUTED
    session_day = stream.day[made.sessions.starts[:-1]]
    decided = made.decisions.rows[found.decision[is_earned]]
    decision_day = np.full(len(found.row), NO_NUMBER, dtype=np.int64)
    decision_day[is_earned] = session_day[made.sessions.number[decided]]
    cells = np.stack([stream.day[found.row], stream.type[found.row], found.outcome, decision_day], axis=1)
    (day, kind, outcome, decision_date), n, worth = _summed(cells, made.worth)
    names = np.array(_TYPES, dtype=object)
    return _structs(
        EVENT,
        day=day,
        event_type=names[kind],
        outcome=np.array(OUTCOMES, dtype=object)[outcome],
        decision_date=decision_date,
        n=n,
        worth=worth,
    )


def _of_decisions(stream: Stream, made: Transitions, known: AsOf) -> list[pa.StructArray]:
    """Decisions of the days asked for, by the day their session started."""
    rows = made.decisions.rows
    day = stream.day[made.sessions.starts[:-1]][made.sessions.number[rows]]
    is_asked = np.isin(day, known.span)
    lacks_action = made.decisions.action[rows] == NO_ID
    cost = np.zeros(len(rows), dtype=np.int64)
    cost[np.searchsorted(rows, made.row)] = made.cost
    found = []
    for kind, chosen in ((DECISION, is_asked), (WITHOUT_ACTION, is_asked & lacks_action)):
        (days,), n, worth = _summed(day[chosen][:, None], cost[chosen])
        found.append(_structs(kind, day=days, n=n, worth=worth))
    return found


def _without_money(stream: Stream, made: Transitions, rules: Rules) -> pa.StructArray:
    """Counted events that lack the money which the reward asks for, by business day and type."""
    rows = made.attributed.row
    lacking = rows[lacks_money(stream, rows, rules.reward)]
    (day, kind), n, _ = _summed(np.stack([stream.day[lacking], stream.type[lacking]], axis=1))
    return _structs(WITHOUT_MONEY, day=day, event_type=np.array(_TYPES, dtype=object)[kind], n=n)


def _handed_over(stream: Stream) -> pa.StructArray:
    """All events by business day and type: whether what Spark read is what the kernel saw."""
    (day, kind), n, _ = _summed(np.stack([stream.day, stream.type], axis=1))
    return _structs(HANDED, day=day, event_type=np.array(_TYPES, dtype=object)[kind], n=n)


def handed_over(tallies: Iterable[Row]) -> dict[tuple[date, str], int]:
    """Return how many events of shoppers the kernel saw, by business day and type."""
    return {(row["day"], row["event_type"]): row["n"] for row in tallies if row["kind"] == HANDED}


def _summed(cells: IntArray, worth: IntArray | None = None) -> tuple[IntArray, IntArray, IntArray]:
    """Return the distinct rows of `(n, n_columns)`, column by column, how often each stands there, and its worth."""
    distinct, place, n = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    values = np.zeros(len(cells), dtype=np.int64) if worth is None else worth
    return distinct.T, n.astype(np.int64), sums_by(values, place.reshape(-1), len(n))


def _structs(
    kind: str,
    *,
    day: IntArray,
    n: IntArray,
    worth: IntArray | None = None,
    event_type: object = None,
    outcome: object = None,
    decision_date: IntArray | None = None,
) -> pa.StructArray:
    nothing = np.full(len(n), None, dtype=object)
    event_type, outcome = (nothing if one is None else one for one in (event_type, outcome))
    decision_date = np.full_like(n, NO_NUMBER) if decision_date is None else decision_date
    is_dated = decision_date != NO_NUMBER
    columns = [
        pa.array([kind] * len(n), pa.string()),
        pa.array(day.astype(np.int32)).cast(pa.date32()),
        pa.array(event_type, pa.string()),
        pa.array(outcome, pa.string()),
        pa.array(np.where(is_dated, decision_date, 0).astype(np.int32), mask=~is_dated).cast(pa.date32()),
        pa.array(n),
        pa.array(np.zeros_like(n) if worth is None else worth),
    ]
    return pa.StructArray.from_arrays(columns, [part.split(":")[0] for part in TALLY_DDL.split(", ")])
