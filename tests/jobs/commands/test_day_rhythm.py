"""A log that is quietest by day is asked about, and one that sleeps at night, or never, isn't."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.commands.day_rhythm import rhythm_question
from jobs.commands.source_check import check_source
from tests.jobs.commands.test_feed_warnings import _source

START = datetime(2026, 1, 5, tzinfo=UTC)
# Events an hour by the shop's clock: a web shop, a till that opens at 8, and customers all over the world.
WEB = [3, 2, 1, 1, 1, 2, 4, 8, 12, 14, 15, 15, 16, 15, 14, 14, 15, 17, 20, 24, 26, 22, 14, 7]
TILL = [*[0] * 8, *[10] * 12, *[0] * 4]
WORLD = [10, 9, 10, 11, 10, 9, 10, 10, 11, 10, 9, 10, 10, 10, 9, 11, 10, 10, 9, 10, 10, 11, 10, 9]


def times(by_hour: list[int], *, hours_ahead: int = 0, n_days: int = 7) -> list[int]:
    """Moments whose clock in UTC is so many hours ahead of the shop's."""
    draws = random.Random(3)
    return [
        int((START + timedelta(days=day, hours=hour + hours_ahead + draws.random())).timestamp() * 1e6)
        for day in range(n_days)
        for hour, n in enumerate(by_hour)
        for _ in range(n)
    ]


@pytest.mark.parametrize("by_hour", [WEB, TILL, WORLD])
@pytest.mark.parametrize("hours_ahead", [-1, 0, 1])
def test_a_right_zone_is_not_asked_about(by_hour: list[int], hours_ahead: int) -> None:
    """Nor one that is an hour off: nights differ by as much."""
    assert rhythm_question(times(by_hour, hours_ahead=hours_ahead), _source(zone="UTC")) is None


@pytest.mark.parametrize("hours_ahead", [-9, -4, 4, 8, 12])
def test_a_night_in_the_middle_of_the_day_is_asked_about(hours_ahead: int) -> None:
    """With the hours, and the keys that say zones."""
    told = rhythm_question(times(WEB, hours_ahead=hours_ahead), _source(zone="UTC"))
    assert told is not None
    assert "is `zone` right" in told
    begins = int(told.partition("hours are ")[2].partition(":")[0])
    assert begins in [hour % 24 for hour in range(hours_ahead - 1, hours_ahead + 3)]


def test_hours_are_those_of_the_source_s_clock() -> None:
    ahead = times(WEB, hours_ahead=8)
    assert rhythm_question(ahead, _source(zone="America/Los_Angeles")) is None
    assert rhythm_question(ahead, _source(zone="UTC")) is not None


def test_few_events_a_single_day_and_broken_times_say_nothing() -> None:
    assert rhythm_question(times(WEB, hours_ahead=8)[:300], _source(zone="UTC")) is None
    assert rhythm_question(times([9 * n for n in WEB], hours_ahead=8, n_days=1), _source(zone="UTC")) is None
    assert rhythm_question([-5, 0, 10**18, *times(WEB)], _source(zone="UTC")) is None


@pytest.mark.parametrize(("hours_ahead", "is_asked"), [(0, False), (8, True)])
@pytest.mark.parametrize("n_characters", [0, 3_000])
def test_check_source_counts_hours_all_over_a_file(
    tmp_path: Path, hours_ahead: int, is_asked: bool, n_characters: int
) -> None:
    """Of large ones too, whose beginnings are all night; it is a question, and no delivery is held back."""
    moments = sorted(times(WEB, hours_ahead=hours_ahead))
    for day in range(7):
        of_day = moments[day * len(moments) // 7 : (day + 1) * len(moments) // 7]
        rows = [f"{moment // 1_000_000};v;u{n % 20};;9.5;1;9.5;{'x' * n_characters}" for n, moment in enumerate(of_day)]
        many = [row for row in rows for _ in range(6)]
        (tmp_path / f"log{day}.csv").write_text("\n".join(["at;what;who;order;price;n;sum;note", *many, ""]))
    (check,), _ = check_source(_source(zone="UTC", currency="EUR"), tmp_path)
    assert any("the quietest hours are" in one for one in check.warnings()) == is_asked
    assert check.problem() is None
