"""What is usual, and what grows: medians that a single slow night doesn't move."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from rl.site.stage_trend import START_TO_END, TOTAL, stage_trends

DAY = date(2026, 3, 2)


def nights(*seconds: dict[str, float]) -> list[tuple[date, dict[str, float]]]:
    return [(DAY + timedelta(days=n), told) for n, told in enumerate(seconds)]


def test_a_stage_that_grows_by_two_seconds_a_night_grows_by_fourteen_a_week() -> None:
    """One night of an hour between them changes nothing: the slope is a median of pairs."""
    (trend,) = stage_trends(nights(*({"build": 100.0 + 2 * n} for n in range(4)), {"build": 3600.0}, {"build": 110.0}))
    assert trend.weekly == pytest.approx(14.0)
    assert trend.usual == 104.0
    assert not trend.is_slower


@pytest.mark.parametrize(
    ("last", "expected"), [(160.0, True), (149.0, False)], ids=["half as long again", "not as much"]
)
def test_a_slow_night_is_told(last: float, expected: bool) -> None:
    (trend,) = stage_trends(nights(*([{"build": 100.0}] * 5), {"build": last}))
    assert trend.is_slower is expected


def test_few_seconds_more_are_nothing() -> None:
    """Two seconds instead of one are twice as long, and no matter."""
    (trend,) = stage_trends(nights(*([{"build": 1.0}] * 5), {"build": 2.0}))
    assert not trend.is_slower


def test_few_nights_have_no_trend() -> None:
    (trend,) = stage_trends(nights({"build": 100.0}, {"build": 900.0}))
    assert (trend.usual, trend.weekly, trend.is_slower) == (100.0, None, False)
    (single,) = stage_trends(nights({"build": 100.0}))
    assert single.usual is None


def test_the_sum_is_of_whole_nights() -> None:
    """A night that stopped at its build isn't a short night."""
    trends = stage_trends(nights({"ingest": 1.0, "build": 2.0}, {"ingest": 1.0}, {"ingest": 3.0, "build": 4.0}))
    assert [(one.stage, one.seconds) for one in trends] == [
        ("ingest", (1.0, 1.0, 3.0)),
        ("build", (2.0, 4.0)),
        (TOTAL, (3.0, 7.0)),
    ]


def test_no_nights_have_no_trends() -> None:
    assert stage_trends([]) == ()


def test_the_whole_run_is_no_part_of_the_sum() -> None:
    """It holds the stages already; a night of an earlier release, which doesn't know it, counts in the sum."""
    found = stage_trends(nights({"prepare": 1.0, "train": 2.0}, {"prepare": 1.0, "train": 4.0, "night": 9.0}))
    told = {trend.stage: trend.seconds for trend in found}
    assert told == {"prepare": (1.0, 1.0), "train": (2.0, 4.0), TOTAL: (3.0, 5.0), START_TO_END: (9.0,)}
