"""What the bench of selection says is shipped."""

from __future__ import annotations

import pytest

from tests.bench.gate.nights import FIRST_NIGHT_LEVEL, GATE
from tests.bench.gate.selection_nights import Shipped, selection_line, shipped, siblings


def test_a_thin_log_ships_nothing_and_a_thick_one_a_gain() -> None:
    """Below the floors no rule ships; of 6,000 shoppers both do, by the same gate on the same candidates."""
    thin, thick = (shipped("light", n, 5, gate=GATE, alpha=FIRST_NIGHT_LEVEL) for n in (200, 6000))
    assert thin == Shipped(0.0, 0.0, 0.0)
    assert thick.rule > 0.05
    assert thick.surest > 0.05
    assert thick == shipped("light", 6000, 5, gate=GATE, alpha=FIRST_NIGHT_LEVEL)


def test_siblings_are_the_temperatures_of_one_resample() -> None:
    assert [*siblings(0)] == [*siblings(3)] == [0, 1, 2, 3]
    assert [*siblings(6)] == [4, 5, 6, 7]


def test_differences_are_paired_and_in_points() -> None:
    nights = [Shipped(0.3, 0.3, 0.1), Shipped(0.0, 0.0, 0.0), Shipped(0.1, 0.0, 0.2)]
    line = selection_line("light", 1500, nights)
    assert (line["shipped_rule"], line["shipped_apart"], line["shipped_surest"]) == (0.1333, 0.1, 0.1)
    assert (line["promoted_rule"], line["promoted_apart"]) == (0.6667, 0.3333)
    assert line["more_than_surest"] == pytest.approx(3.33)
    assert line["more_than_surest_se"] == pytest.approx(8.82)
    assert line["more_than_apart"] == pytest.approx(3.33)
