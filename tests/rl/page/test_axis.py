"""Round ticks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rl.page.axis import Axis, axis_over


def test_ticks_are_round_and_inside() -> None:
    """Ticks of 0.95 to 2.05 are the tenths and fifths a person would choose."""
    labels = [tick.label for tick in Axis(0.95, 2.05).ticks()]
    assert labels == ["1.00", "1.25", "1.50", "1.75", "2.00"]


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_on_the_axis(low: float, length: float) -> None:
    """Whatever the range, there are at most seven ticks and each lies on the axis."""
    ticks = Axis(low, low + length).ticks()
    assert len(ticks) <= 7
    assert all(0 <= tick.percent <= 100 for tick in ticks)


def test_axis_over_a_single_value_has_a_length() -> None:
    """One value, or zero, still gives an axis to draw on."""
    assert axis_over([0.0]).high > axis_over([0.0]).low
    assert axis_over([2.0]).holds(2.0)
