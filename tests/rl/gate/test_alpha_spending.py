"""What one night may spend of the year's allowance."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.errors import EvaluationError
from rl.gate.alpha_spending import DAYS_PER_YEAR, Look, night_level

FIRST = date(2026, 1, 1)
PER_YEAR = 4.0
DAILY = PER_YEAR / DAYS_PER_YEAR


def looks_on(days: list[int], per_year: float = PER_YEAR) -> list[Look]:
    """Looks taken on the given days after the first date, each at the level it was allowed."""
    looks: list[Look] = []
    for version, day in enumerate(days, start=1):
        night = FIRST + timedelta(days=day)
        looks.append(Look(night, night_level(per_year, night, looks).level, version))
    return looks


def test_first_night_may_spend_most_of_a_days_share() -> None:
    """Nothing was saved yet: four fifths of a 365th."""
    found = night_level(PER_YEAR, FIRST)
    assert found.level == pytest.approx(0.8 * DAILY)
    assert (found.n_looks, found.spent, found.since) == (0, 0.0, FIRST)
    assert found.left == pytest.approx(DAILY)


def test_what_is_left_is_what_accrued_less_what_was_spent() -> None:
    """A second look on the same date takes four fifths of the fifth that the first one left."""
    found = night_level(PER_YEAR, FIRST, looks_on([0]))
    assert (found.left, found.level) == (pytest.approx(0.2 * DAILY), pytest.approx(0.16 * DAILY))
    assert night_level(PER_YEAR, FIRST, [Look(FIRST, 1.0, 1)]).left == 0


def test_nightly_looks_settle_at_a_days_share() -> None:
    """After some nights each look spends what a day accrues."""
    assert looks_on(list(range(30)))[-1].level == pytest.approx(DAILY, rel=1e-6)


def test_weekly_looks_settle_near_a_weeks_share() -> None:
    """Six days without a look are saved up; the reserve is capped at a week, of which four fifths are taken."""
    assert looks_on(list(range(0, 210, 7)))[-1].level == pytest.approx(0.8 * 7 * DAILY, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.floats(0.1, 30))
def test_levels_never_sum_to_more_than_the_allowance(days: list[int], per_year: float) -> None:
    """Whatever the nights, repeats on one date included, and at any time: the sum stays within the allowance so far."""
    looks = looks_on(sorted(days), per_year)
    for n in range(1, len(looks) + 1):
        so_far = (looks[n - 1].date - looks[0].date).days + 1
        assert sum(look.level for look in looks[:n]) <= per_year * so_far / DAYS_PER_YEAR * (1 + 1e-9) + 1e-6


def test_a_second_look_on_one_date_gets_what_the_first_left() -> None:
    """A repeat with other code is another chance to be wrong: it gets a fifth of the first one's level."""
    first, second = looks_on([0, 0])
    assert second.level == pytest.approx(first.level / 5)


def test_nights_that_abstained_spend_nothing() -> None:
    """Where nothing could be promoted, nothing wrong could be."""
    abstained = [Look(FIRST + timedelta(days=n), 0.0, n) for n in range(5)]
    found = night_level(PER_YEAR, FIRST + timedelta(days=5), abstained)
    assert (found.level, found.n_looks) == (pytest.approx(0.8 * DAILY), 0)


def test_a_long_pause_does_not_end_in_a_careless_look() -> None:
    """Half a year's savings are forfeited but for a week's."""
    found = night_level(PER_YEAR, FIRST + timedelta(days=180), looks_on([0]))
    assert found.level == pytest.approx(0.8 * 7 * DAILY)


def test_an_overspent_allowance_leaves_a_sliver() -> None:
    """Looks at the level of a larger allowance, set before, don't make a night fail."""
    found = night_level(0.5, FIRST, [Look(FIRST, 0.05, 1)])
    assert 0 < found.level < 1e-5
    assert found.spent == 0.05


def test_order_of_looks_does_not_matter() -> None:
    """They are put in order of date and version."""
    looks = looks_on([0, 3, 3, 9])
    night = FIRST + timedelta(days=10)
    assert night_level(PER_YEAR, night, looks[::-1]) == night_level(PER_YEAR, night, looks)


@pytest.mark.parametrize("per_year", [0.0, -1.0, 200.0])
def test_an_allowance_that_is_no_test_is_refused(per_year: float) -> None:
    """No wrong promotions at all, or every other night's."""
    with pytest.raises(EvaluationError, match=r"no level between 0 and 0\.5"):
        night_level(per_year, FIRST)
