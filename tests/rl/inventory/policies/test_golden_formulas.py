"""Formulas of ordering agree with stockpyl; `tests/golden/make_inventory_values.py` wrote its values and version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rl.inventory.demand import DemandDistribution
from rl.inventory.policies.base_stock import newsvendor_level
from rl.inventory.policies.reorder_point import best_reorder_point
from rl.inventory.stock import StockRules

GOLDEN = json.loads((Path(__file__).parents[3] / "golden" / "inventory_values.json").read_text())


def _demand(entry: dict[str, Any]) -> DemandDistribution:
    if "mean" in entry:
        return DemandDistribution.poisson(entry["mean"])
    return DemandDistribution(np.array(entry["probabilities"]))


@pytest.mark.parametrize("entry", GOLDEN["newsvendor_poisson"] + GOLDEN["newsvendor_humps"])
def test_newsvendor_levels_are_stockpyls(entry: dict[str, Any]) -> None:
    rules = StockRules(1, entry["holding"], entry["penalty"])
    assert newsvendor_level(_demand(entry), rules) == entry["level"]


@pytest.mark.parametrize("entry", GOLDEN["reorder_point_poisson"] + GOLDEN["reorder_point_humps"])
def test_reorder_points_are_stockpyls(entry: dict[str, Any]) -> None:
    demand = _demand(entry)
    rules = StockRules(1, entry["holding"], entry["penalty"])
    point, level, cost = best_reorder_point(demand, demand, rules, entry["order_cost"])
    assert (point, level) == (entry["point"], entry["level"])
    assert cost == pytest.approx(entry["cost"], rel=1e-8)
