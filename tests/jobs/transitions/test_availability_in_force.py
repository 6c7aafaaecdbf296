"""Which set was in force when, as far as was known."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from conf.kernel.availability_in_force import set_in_force
from jobs.transitions.transitions import SET_COLUMNS, transition_job
from tests.conf.kernel.columns_of_rows import micros
from tests.jobs.transitions.shop_events import DAY, Row, a_pipeline, at, available

YESTERDAY, TOMORROW = DAY - timedelta(days=1), DAY + timedelta(days=1)


def in_force(sets: list[Row], moments: list[tuple[str, date]], zone: str = "UTC") -> list[str | None]:
    """The set in force at each moment."""
    known = pa.table({name: pa.array([one[name] for one in sets]) for name in SET_COLUMNS})
    pipeline = a_pipeline(source_changes={"zone": zone})
    job = transition_job(pipeline, known, dates=[DAY], horizon=DAY)
    times = np.array([micros(at(*moment)) for moment in moments], dtype=np.int64)
    codes = set_in_force(job.known.sets, times).tolist()
    return [job.set_ids[code - 1].as_py() if code else None for code in codes]


def test_latest_set_is_in_force_until_the_next() -> None:
    """From its own instant on; before the first there is none; the last holds over days."""
    sets = [available("a", "08:00", day=YESTERDAY, delivery_date=YESTERDAY), available("b", "12:00")]
    moments = [
        ("07:59:59.999999", YESTERDAY),
        ("08:00", YESTERDAY),
        ("11:59", DAY),
        ("12:00", DAY),
        ("23:00", TOMORROW),
    ]
    assert in_force(sets, moments) == [None, "a", "a", "b", "b"]


def test_late_set_is_known_from_its_deliverys_day_on() -> None:
    """Yesterday's set came with today's delivery; a newer one that was known isn't displaced by it."""
    early = available("early", "08:00", day=YESTERDAY, delivery_date=YESTERDAY)
    late = available("late", "10:00", day=YESTERDAY, delivery_date=DAY)
    newer = available("newer", "11:00", day=YESTERDAY, delivery_date=YESTERDAY)
    moments = [("10:30", YESTERDAY), ("00:00", DAY)]
    assert in_force([early, late], moments) == ["early", "late"]
    assert in_force([early, late, newer], moments) == ["early", "newer"]


def test_sets_of_one_instant_are_settled_by_id() -> None:
    """The greater id, in whatever order they come."""
    both = [available("a", "08:00"), available("b", "08:00")]
    assert in_force(both, [("09:00", DAY)]) == in_force(both[::-1], [("09:00", DAY)]) == ["b"]


def test_set_that_comes_back_is_in_force_again() -> None:
    """An id may stand at several times."""
    sets = [available("a", "08:00"), available("b", "09:00"), available("a", "10:00")]
    assert in_force(sets, [("08:30", DAY), ("09:30", DAY), ("10:30", DAY)]) == ["a", "b", "a"]


def test_days_are_the_business_zones() -> None:
    """A set delivered with Wednesday is known from Wednesday's start in Tokyo, Tuesday 15:00 UTC."""
    sets = [available("a", "10:00", day=YESTERDAY, delivery_date=DAY)]
    assert in_force(sets, [("14:59", YESTERDAY), ("15:00", YESTERDAY)], zone="Asia/Tokyo") == [None, "a"]
