"""What is counted of a partition's events beside its transitions: where rewards went, and how many decisions there are.

Counts merge: those of all partitions are summed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.event_types import EVENT_TYPE_RANK
from conf.kernel.arrays import MICROS_PER_HOUR, MICROS_PER_SECOND, IntArray
from conf.kernel.attribution import ATTRIBUTED, OUTCOMES
from conf.kernel.clocks.sku_day import SkuDay
from conf.kernel.earnings import lacks_money
from conf.kernel.quarantine import NO_CONSENT, QUARANTINE_REASONS
from conf.kernel.stream import NO_NUMBER, Stream, is_of_type
from conf.kernel.transitions import AsOf, Rules, StreamTransitions
from jobs.events.event_columns import EventColumns

TALLY_DDL = (
    "kind: string, day: date, event_type: string, outcome: string, decision_date: date, example: string, n: bigint, "
    "worth: bigint"
)
"""A count of events by business day, type and outcome, or of decisions by the day their session started.

`worth`, in millionths, is what the events are worth, or what the decisions cost.
"""

Tally = Mapping[str, Any]
"""One of them, by the names of TALLY_DDL."""

EVENT, DECISION, REPEATED, HANDED = "event", "decision", "repeated_decision", "handed"
"""Kinds: events that rewards count, decisions, events that tell of one again, and all events that were handed over."""

SET_ASIDE, EPISODE_SET_ASIDE = "set_aside", "episode_set_aside"
"""Kinds: decisions of episodes that are set aside, with the reason as outcome and an example; and these episodes."""

COMPANION = "beside_another"
"""Outcome of a decision that could be used, but for another one of its episode."""

QUARANTINED, WITHOUT_CONSENT = "quarantined", "no_consent"
"""Outcomes of a counted event whose decision is set aside: one of its episode can't be used, or the shopper didn't
consent."""

AT_ONE_INSTANT = "purchase_at_one_instant"
"""Kind: purchases at a full hour of a business day, before a product's day starts; the outcome says at which."""

WITHOUT_MONEY = "event_without_money"
"""Kind: counted events that lack the money which the reward asks for."""

_TYPES = sorted(EVENT_TYPE_RANK, key=EVENT_TYPE_RANK.__getitem__)
"""Canonical types by their code, which is their rank."""


def tallies_of(
    events: EventColumns, made: StreamTransitions, rules: Rules, known: AsOf, actions: pa.Array
) -> pa.StructArray:
    """Return the partition's counts as structs of TALLY_DDL; `actions`: what each row would choose as a decision."""
    stream = events.stream
    return pa.concat_arrays(
        [
            _of_events(stream, made),
            *_of_decisions(stream, made, known),
            *_set_aside(events, made, actions),
            _handed_over(stream, made),
            _at_one_instant(stream, rules, known),
            _without_money(stream, made, rules),
        ]
    )


def summed_tallies(tallies: Iterable[Tally]) -> list[Tally]:
    """Return the counts of all partitions together, with the smallest example of each."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in tallies:
        known = found.setdefault(tuple(one[name] for name in _TOLD_APART), {**one, "n": 0, "worth": 0})
        known["n"] += one["n"]
        known["worth"] += one["worth"]
        known["example"] = min((text for text in (known["example"], one["example"]) if text is not None), default=None)
    return list(found.values())


_TOLD_APART = ("kind", "day", "event_type", "outcome", "decision_date")


def outcomes(tallies: Iterable[Tally]) -> list[tuple[date, str, date | None, int]]:
    """Return what events are worth by business day, outcome and, where attributed, the transition's date."""
    found = (row for row in tallies if row["kind"] == EVENT)
    return [(row["day"], row["outcome"], row["decision_date"], row["worth"]) for row in found]


def costs(tallies: Iterable[Tally]) -> dict[date, int]:
    """Return what the decisions cost, in millionths, by the day their session started."""
    return {row["day"]: row["worth"] for row in tallies if row["kind"] == DECISION}


def without_money(tallies: Iterable[Tally]) -> Counter[date]:
    """Return how many counted events lack the money that the reward asks for, by business day."""
    found: Counter[date] = Counter()
    for row in tallies:
        if row["kind"] == WITHOUT_MONEY:
            found[row["day"]] += row["n"]
    return found


def _of_events(stream: Stream, made: StreamTransitions) -> pa.StructArray:
    """Counted events by business day, type, outcome and day of the decision's session."""
    found = made.attributed
    is_earned = found.outcome == ATTRIBUTED
    session_day = made.sessions.day
    decided = made.decisions.rows[found.decision[is_earned]]
    decision_day = np.full(len(found.row), NO_NUMBER, dtype=np.int64)
    decision_day[is_earned] = session_day[made.sessions.number[decided]]
    outcome = found.outcome.copy()
    outcome[is_earned] = _withheld(made)[found.decision[is_earned]]
    cells = np.stack([stream.day[found.row], stream.type[found.row], outcome, decision_day], axis=1)
    (day, kind, outcome, decision_date), n, worth = _summed(cells, made.worth)
    names = np.array(_TYPES, dtype=object)
    return _structs(
        EVENT,
        day=day,
        event_type=names[kind],
        outcome=np.array([*OUTCOMES, QUARANTINED, WITHOUT_CONSENT], dtype=object)[outcome],
        decision_date=decision_date,
        n=n,
        worth=worth,
    )


def _withheld(made: StreamTransitions) -> IntArray:
    """Return the outcome of what each decision earned: attributed, unless its episode is set aside."""
    aside, places = made.quarantine, np.full(len(made.decisions), ATTRIBUTED, dtype=np.int64)
    may_not = np.isin(aside.episode, aside.episode[aside.reason == NO_CONSENT])
    places[aside.decision[aside.is_set_aside]] = len(OUTCOMES)
    places[aside.decision[may_not]] = len(OUTCOMES) + 1
    return places


def _of_decisions(stream: Stream, made: StreamTransitions, known: AsOf) -> list[pa.StructArray]:
    """Decisions of the days asked for and what they cost, and those told again, by the day their session started."""
    session_day = made.sessions.day
    cost = np.zeros(len(stream), dtype=np.int64)
    cost[made.row] = made.cost
    found = []
    for kind, rows in ((DECISION, made.decisions.rows), (REPEATED, np.flatnonzero(made.decisions.is_repeated))):
        day = session_day[made.sessions.number[rows]]
        is_asked = np.isin(day, known.span)
        (days,), n, worth = _summed(day[is_asked][:, None], cost[rows[is_asked]])
        found.append(_structs(kind, day=days, n=n, worth=worth))
    return found


def _set_aside(events: EventColumns, made: StreamTransitions, actions: pa.Array) -> list[pa.StructArray]:
    """Decisions that are set aside, by the day their session started and by reason; and their episodes by day."""
    aside = made.quarantine
    chosen = aside.is_set_aside
    row = made.decisions.rows[aside.decision[chosen]]
    day = made.sessions.day[made.sessions.number[row]]
    cells, first, n = np.unique(
        np.stack([day, aside.reason[chosen]], axis=1), axis=0, return_index=True, return_counts=True
    )
    reasons = np.array([*QUARANTINE_REASONS, COMPANION], dtype=object)[cells[:, 1]]
    examples = _examples(events, actions, row[first])
    episodes = np.unique(np.stack([day, aside.episode[chosen]], axis=1), axis=0)
    (days,), n_episodes, _ = _summed(episodes[:, :1])
    return [
        _structs(SET_ASIDE, day=cells[:, 0], outcome=reasons, example=examples, n=n.astype(np.int64)),
        _structs(EPISODE_SET_ASIDE, day=days, n=n_episodes),
    ]


def _examples(events: EventColumns, actions: pa.Array, row: IntArray) -> pa.Array:
    """Return when rows were decided, what they chose and from which set: nothing of whose they are."""
    taken = pa.array(row)
    moment = pc.strftime(
        events.table["event_time"].combine_chunks().take(taken).cast(pa.timestamp("s", "UTC"), safe=False),
        format="%Y-%m-%d %H:%M:%S",
    )
    texts = [
        moment.cast(pa.string()),
        pa.array([" UTC, action "] * len(row), pa.string()),
        actions.take(taken),
        pa.array([", availability_id "] * len(row), pa.string()),
        events.table["availability_id"].combine_chunks().take(taken),
    ]
    return pc.binary_join_element_wise(*texts, "", null_handling="replace", null_replacement="(none)")


def _without_money(stream: Stream, made: StreamTransitions, rules: Rules) -> pa.StructArray:
    """Counted events that lack the money which the reward asks for, by business day and type."""
    rows = made.attributed.row
    lacking = rows[lacks_money(stream, rows, rules.reward)]
    (day, kind), n, _ = _summed(np.stack([stream.day[lacking], stream.type[lacking]], axis=1))
    return _structs(WITHOUT_MONEY, day=day, event_type=np.array(_TYPES, dtype=object)[kind], n=n)


def _handed_over(stream: Stream, made: StreamTransitions) -> pa.StructArray:
    """All events by business day and type: whether what Spark read is what the kernel saw.

    Decisions with periods of their own are mornings, which nobody delivered.
    """
    cells = np.stack([stream.day, stream.type], axis=1)
    cells = cells if made.decisions.period is None else cells[~made.decisions.is_decision]
    (day, kind), n, _ = _summed(cells)
    return _structs(HANDED, day=day, event_type=np.array(_TYPES, dtype=object)[kind], n=n)


def _at_one_instant(stream: Stream, rules: Rules, known: AsOf) -> pa.StructArray:
    """Purchases of a full hour before a product's day starts, by business day and seconds since midnight.

    A date that is told for a time is midnight, in the shop's zone or in another one.
    """
    start_us = rules.clock.hour * MICROS_PER_HOUR if isinstance(rules.clock, SkuDay) else 0
    rows = np.flatnonzero(is_of_type(stream, "purchase")) if start_us else np.zeros(0, dtype=np.int64)
    since_us = stream.time_us[rows] - known.calendar.start_of_day(stream.day[rows])
    kept = (since_us < start_us) & (since_us % MICROS_PER_HOUR == 0)
    day, seconds = stream.day[rows[kept]], since_us[kept] // MICROS_PER_SECOND
    (day, seconds), n, _ = _summed(np.stack([day, seconds], axis=1))
    return _structs(
        AT_ONE_INSTANT, day=day, outcome=np.array([str(one) for one in seconds.tolist()], dtype=object), n=n
    )


def at_one_instant(tallies: Iterable[Tally]) -> dict[date, int]:
    """Return how many purchases of each day are at its most frequent full hour before a product's day starts."""
    found: dict[date, int] = {}
    for row in tallies:
        if row["kind"] == AT_ONE_INSTANT:
            found[row["day"]] = max(found.get(row["day"], 0), row["n"])
    return found


def handed_over(tallies: Iterable[Tally]) -> dict[tuple[date, str], int]:
    """Return how many events of shoppers the kernel saw, by business day and type."""
    return {(row["day"], row["event_type"]): row["n"] for row in tallies if row["kind"] == HANDED}


def _summed(cells: IntArray, worth: IntArray | None = None) -> tuple[IntArray, IntArray, IntArray]:
    """Return the distinct rows of `(n, n_columns)`, column by column, how often each stands there, and its worth."""
    names = [str(place) for place in range(cells.shape[1])]
    columns = dict(zip(names, cells.T, strict=True))
    rows = pa.table(columns | {_WORTH: np.zeros(len(cells), dtype=np.int64) if worth is None else worth})
    grouped = rows.group_by(names, use_threads=False).aggregate([(_WORTH, "sum"), ([], "count_all")])
    found = grouped.sort_by([(name, "ascending") for name in names])
    distinct = np.array([found[name].to_numpy() for name in names], dtype=np.int64)
    return distinct, found["count_all"].to_numpy(), found[f"{_WORTH}_sum"].to_numpy()


_WORTH = "worth"


def _structs(
    kind: str,
    *,
    day: IntArray,
    n: IntArray,
    worth: IntArray | None = None,
    event_type: object = None,
    outcome: object = None,
    decision_date: IntArray | None = None,
    example: pa.Array | None = None,
) -> pa.StructArray:
    """Return structs of TALLY_DDL; columns that aren't given are null."""
    nothing = pa.nulls(len(n), pa.string())
    dates = np.full_like(n, NO_NUMBER) if decision_date is None else decision_date
    is_dated = dates != NO_NUMBER
    columns = [
        pa.array([kind] * len(n), pa.string()),
        pa.array(day.astype(np.int32)).cast(pa.date32()),
        nothing if event_type is None else pa.array(event_type, pa.string()),
        nothing if outcome is None else pa.array(outcome, pa.string()),
        pa.array(np.where(is_dated, dates, 0).astype(np.int32), mask=~is_dated).cast(pa.date32()),
        nothing if example is None else example,
        pa.array(n),
        pa.array(np.zeros_like(n) if worth is None else worth),
    ]
    return pa.StructArray.from_arrays(columns, [part.split(":")[0] for part in TALLY_DDL.split(", ")])
