from __future__ import annotations

from datetime import date

import pytest

from rl.site.charts import DayFigure, bar_chart, sparkline


def day(n: int, value: float, *, is_marked: bool = False) -> DayFigure:
    return DayFigure(date(2026, 3, n), value, f"{value}", is_marked)


def test_days_without_a_figure_leave_a_gap() -> None:
    """Bars stand at their days, not side by side."""
    chart = bar_chart([day(1, 1.0), day(4, 2.0)])
    assert chart is not None
    first, last = chart.bars
    assert last.left - first.left == pytest.approx(75.0)
    assert last.height == pytest.approx(2 * first.height, abs=0.02)
    assert all(one.top + one.height == pytest.approx(100.0, abs=0.02) for one in chart.bars)


def test_a_limit_far_above_is_left_out() -> None:
    near, far = bar_chart([day(1, 10.0)], limit=20.0), bar_chart([day(1, 0.1)], limit=20.0)
    assert near is not None
    assert far is not None
    assert near.limit is not None
    assert near.limit < near.bars[0].top
    assert far.limit is None


def test_days_of_nothing_can_be_drawn() -> None:
    chart = bar_chart([day(1, 0.0)])
    assert chart is not None
    assert chart.bars[0].height == 0
    assert bar_chart([]) is None


def test_a_curve_needs_two_values() -> None:
    assert sparkline([1.0]) == ""
    assert sparkline([1.0, 1.0]).split(" ")[0].startswith("0.00,")
