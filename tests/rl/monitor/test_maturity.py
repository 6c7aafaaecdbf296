"""Which share of a day's value is there while its attribution windows are open."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from rl.monitor.maturity import SeenValue, maturities

DAYS = [date(2026, 3, 1) + timedelta(days=number) for number in range(5)]


def test_the_share_is_a_ratio_of_sums_over_settled_days() -> None:
    settled = dict(zip(DAYS, [10.0, 20.0, 30.0, 40.0, 50.0], strict=True))
    seen = [SeenValue(day, 0, 0.6 * settled[day]) for day in DAYS] + [SeenValue(day, 1, settled[day]) for day in DAYS]
    found = maturities(seen, settled)
    assert found[0].share == pytest.approx(0.6)
    assert found[0].standard_error == pytest.approx(0.0, abs=1e-12)
    assert found[1].share == pytest.approx(1.0)
    assert found[0].n_days == 5


def test_days_that_are_not_settled_say_nothing() -> None:
    settled = dict(zip(DAYS[:2], [10.0, 20.0], strict=True))
    assert maturities([SeenValue(day, 0, 5.0) for day in DAYS], settled) == {}


def test_a_night_that_looked_again_counts_once() -> None:
    settled = dict(zip(DAYS[:3], [10.0, 10.0, 10.0], strict=True))
    twice = [SeenValue(day, 0, 1.0) for day in DAYS[:3]] + [SeenValue(day, 0, 5.0) for day in DAYS[:3]]
    assert maturities(twice, settled)[0].share == pytest.approx(0.5)
