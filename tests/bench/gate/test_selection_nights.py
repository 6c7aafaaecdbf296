"""What the bench of selection says is shipped."""

from __future__ import annotations

import pytest

from tests.bench.gate.nights import FIRST_NIGHT_LEVEL, GATE
from tests.bench.gate.selection_nights import Shipped, selection_line, shipped


def test_a_thin_log_ships_nothing_and_a_thick_one_a_gain() -> None:
    """Below the floors no rule ships; of 6,000 shoppers both do, by the same gate on the same candidates."""
    thin, thick = (shipped("light", n, 5, gate=GATE, alpha=FIRST_NIGHT_LEVEL) for n in (200, 6000))
    assert thin == Shipped(0.0, 0.0)
    assert thick.rule > 0.05
    assert thick.surest > 0.05
    assert thick == shipped("light", 6000, 5, gate=GATE, alpha=FIRST_NIGHT_LEVEL)


def test_the_difference_is_paired_and_in_points() -> None:
    line = selection_line("light", 1500, [Shipped(0.3, 0.1), Shipped(0.0, 0.0), Shipped(0.1, 0.2)])
    assert (line["shipped"], line["shipped_by_surest"]) == (0.1333, 0.1)
    assert line["more_points"] == pytest.approx(3.33)
    assert line["more_points_se"] == pytest.approx(8.82)
