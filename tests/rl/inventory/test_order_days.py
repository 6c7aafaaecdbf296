"""Weekdays of orders: how long each order lasts, which day comes next, and what they are called."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from conf.specs.orders import longest_gap
from conf.specs.problem import WEEKDAYS
from rl.errors import InventoryError
from rl.inventory.order_days import EVERY_DAY, DemandAhead, OrderDays, covered_days


@pytest.mark.parametrize(
    ("names", "gaps"),
    [
        ([], [1, 1, 1, 1, 1, 1, 1]),
        (["monday"], [7, 0, 0, 0, 0, 0, 0]),
        (["sunday"], [0, 0, 0, 0, 0, 0, 7]),
        (["thursday", "monday"], [3, 0, 0, 4, 0, 0, 0]),
        (["monday", "tuesday", "wednesday", "thursday", "friday"], [1, 1, 1, 1, 3, 0, 0]),
    ],
)
def test_an_order_lasts_until_the_next_day_of_orders(names: list[str], gaps: list[int]) -> None:
    """Over the end of the week, too; the spec reckons with the same longest wait."""
    days = OrderDays.of(names)
    assert days.gaps(np.arange(7)).tolist() == gaps
    assert days.longest_gap == max(gaps) == longest_gap(names)  # type: ignore[arg-type]  # weekdays by name
    assert days.is_daily == (not names)


def test_the_next_day_of_orders_is_today_or_within_a_week() -> None:
    """Sunday, March 1, 2026, and the days around it."""
    monday = OrderDays.of(["monday"])
    assert monday.next_from(date(2026, 3, 1)) == monday.next_from(date(2026, 3, 2)) == date(2026, 3, 2)
    assert monday.next_from(date(2026, 3, 3)) == date(2026, 3, 9)
    assert EVERY_DAY.next_from(date(2026, 3, 3)) == date(2026, 3, 3)


def test_days_are_told_in_words() -> None:
    assert [str(OrderDays.of(names)) for names in ([], ["monday"], ["friday", "monday"], WEEKDAYS[:3])] == [
        "every day",
        "every Monday",
        "every Monday and Friday",
        "every Monday, Tuesday and Wednesday",
    ]


@pytest.mark.parametrize("weekdays", [(), (1, 0), (0, 0), (7,), (-1,)])
def test_no_other_weekdays_are_taken(weekdays: tuple[int, ...]) -> None:
    with pytest.raises(InventoryError, match="expected some of 0 to 6, ascending"):
        OrderDays(weekdays)


def test_what_is_covered_ends_the_day_before_the_next_arrival() -> None:
    """Two days of waiting: an order until tomorrow's covers three days, one for three days five."""
    forecasts = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
    gaps = np.array([1, 3])
    assert DemandAhead(forecasts, 2, gaps).covered.tolist() == [[1, 2, 3, 0, 0], [1, 2, 3, 4, 5]]
    assert covered_days(forecasts, 2, np.array([0, 2])).tolist() == [[1, 2, 3, 0, 0], [1, 2, 3, 4, 0]]
