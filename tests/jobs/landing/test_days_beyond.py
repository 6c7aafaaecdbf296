"""A delivery whose lines lie just beyond its day is held back: its zone is probably another one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from conf.paths import Lake
from jobs.errors import UnlikelyDelivery
from jobs.landing.acceptance import accept
from jobs.landing.days_beyond import hours_beyond, hours_of_feeds, told_beyond, unlikely_days
from tests.jobs.conftest import Ingest
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import DAYS, day_lines, deliver, line

FIRST = DAYS[0]


def _times(*hours: float, day: date = FIRST) -> np.ndarray:
    begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return np.array([int((begins + timedelta(hours=one)).timestamp() * 1_000_000) for one in hours], dtype=np.int64)


def test_hours_are_of_the_sources_zone_and_at_most_a_day() -> None:
    """Midnight begins the next day's first hour; what is further away than a day is another kind of mistake."""
    assert hours_beyond(_times(0, 12, 23.9), FIRST, source()) == {}
    found = hours_beyond(_times(24, 24.5, 26.5, 47.9, 48, -0.1, -24, -24.1), FIRST, source())
    assert found == {"hours_before/01": 1, "hours_before/24": 1, "hours_past/01": 2, "hours_past/03": 1} | {
        "hours_past/24": 1
    }
    assert hours_beyond(_times(21, 23.5), FIRST, source(zone="Europe/Moscow")) == {
        "hours_past/01": 1,
        "hours_past/03": 1,
    }


def test_only_lines_outside_the_window_count() -> None:
    """An accepted line that came late lies before its day too."""
    times = pa.array(_times(25, 25, 26, 12), pa.timestamp("us", tz="UTC"))
    reasons = ["outside_window", "bad_number", "outside_window", None]
    lines = pa.table({"feed": ["a", "a", "b", "b"], "reason": reasons, "event_time": times})
    assert hours_of_feeds(lines, FIRST, source()) == {"a": {"hours_past/02": 1}, "b": {"hours_past/03": 1}}
    none = pa.table({"feed": ["a"], "reason": pa.array([None], pa.string()), "event_time": times[:1]})
    assert hours_of_feeds(none, FIRST, source()) == {}


@pytest.mark.parametrize(
    ("counted", "lateness_days", "expected"),
    [
        (
            {"n_accepted": 850, "hours_past/01": 70, "hours_past/03": 80},
            1,
            "150 lines (15.0%) are up to 3 h past the delivery's day: is `zone` right, or do its files hold whole "
            "sessions (hours_past_day: 3)?",
        ),
        ({"n_accepted": 800, "hours_past/01": 199, "hours_past/02": 1}, 1, "whole sessions (hours_past_day: 2)?"),
        ({"n_accepted": 800, "hours_past/01": 199, "hours_past/09": 1}, 1, "whole sessions (hours_past_day: 1)?"),
        ({"n_accepted": 991, "hours_past/01": 9}, 1, None),
        ({"n_accepted": 30, "hours_past/01": 4}, 1, None),
        ({"n_accepted": 1000, "hours_past/03": 199, "hours_past/24": 1}, 1, "up to 3 h past"),
        ({"n_accepted": 1000, "hours_past/20": 200}, 1, "up to 20 h past the delivery's day: is the day in its name"),
        ({"n_accepted": 900, "hours_before/05": 100}, 0, "up to 5 h before the delivery's day: is `zone` right, or do"),
        ({"n_accepted": 900, "hours_before/05": 100}, 1, None),
        ({"n_accepted": 900, "hours_before/05": 50, "hours_before/20": 50}, 0, None),
        ({}, 0, None),
    ],
)
def test_a_considerable_share_is_said(counted: dict[str, int], lateness_days: int, expected: str | None) -> None:
    """A few clocks that are ahead, and lines that the source lets come late, are no other zone."""
    told = told_beyond(counted, source(lateness_days=lateness_days))
    assert told is None if expected is None else told is not None and expected in told


def test_accepted_deliveries_and_feeds_without_a_bound_are_let_through() -> None:
    """What a person looked at isn't asked about again."""
    profiles = {FIRST: {"canonical": {"n_accepted": 100, "hours_past/02": 20}}}
    (one,) = unlikely_days(profiles, source(), {})
    assert (one.delivery_date, "20 lines (16.7%)" in one.told, "`zone`" in one.cure) == (FIRST, True, True)
    assert "give the feed `hours_past_day`" in one.cure
    assert unlikely_days(profiles, source(), {FIRST}) == []
    assert unlikely_days(profiles, source(max_rejected_share=1.0), {}) == []
    assert unlikely_days({FIRST: {"canonical": {"n_accepted": 100}}}, source(), {}) == []


def test_evenings_beyond_midnight_hold_a_delivery_back_until_it_is_accepted(
    ingest_into: Ingest, tmp_path: Path
) -> None:
    """Fewer than the rejected share allows, and the delivery is withheld all the same; accepted, it is published."""
    logs, home = tmp_path / "logs", tmp_path / "home"
    evenings = [line(FIRST, 1440 + 30 * n, event_id=f"late-{n}") for n in range(6)]
    deliver(logs, FIRST, [*day_lines(FIRST), *evenings])
    with pytest.raises(UnlikelyDelivery, match=r"6 lines \(17.1%\) are up to 3 h past the delivery's day: is `zone`"):
        ingest_into(home, FIRST, logs)
    accept(Lake(home / "lake", "canonical"), FIRST, "the till closes at three")
    assert ingest_into(home, FIRST)["rejected"] == {"outside_window": 6}
