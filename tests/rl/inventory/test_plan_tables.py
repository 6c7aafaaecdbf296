"""Tables of plans: read as they were planned, in proportion to demand, and stored without a loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.errors import PolicyError
from rl.inventory.plan_tables import PlanTable, PlanTables
from rl.inventory.planning import Lattice, plan
from rl.inventory.stock import StockStates
from tests.rl.inventory.states import POISSON, rules

LEAD = 2
PLAN = plan(rules(LEAD), POISSON)
ORDERED_UP = PlanTable(10.0, 1, 1, np.maximum(np.arange(12)[::-1, None] - np.arange(8), 0))


def tables_of(grain: int = 1, step: int = 1) -> PlanTables:
    """Apples as planned for demand of 5 a day; pears by two sizes of demand, 10 a day up to 11."""
    found = plan(rules(LEAD), POISSON, lattice=Lattice(grain, step))
    apple = PlanTable(5.0, grain, step, found.orders // step)
    return PlanTables.of({"apple": (apple,), "pear": (replace(ORDERED_UP, mean=40.0), ORDERED_UP)}, LEAD)


def test_every_state_of_a_table_in_single_units_reads_as_it_was_planned() -> None:
    """Where something is ordered, up to position and order; else nothing."""
    stock, coming = (one.reshape(-1) for one in np.indices(PLAN.orders.shape))
    states = StockStates(np.column_stack([stock, coming]))
    tables = tables_of()
    rows = np.zeros(len(stock), dtype=np.int64)
    level, is_ordering = tables.read(rows, states.pipeline.astype(float), np.full(len(stock), 5.0))
    order = PLAN.order(states)
    np.testing.assert_array_equal(is_ordering, order > 0)
    np.testing.assert_allclose(level[is_ordering], (states.position + order)[is_ordering])


def test_tables_hold_in_proportion_to_the_day_s_demand() -> None:
    """Twice the demand and twice the stock order up to twice the level."""
    generator = np.random.default_rng(1)
    pipeline = generator.uniform(0, 15, (200, LEAD))
    rows = np.zeros(200, dtype=np.int64)
    level, is_ordering = tables_of().read(rows, pipeline, np.full(200, 5.0))
    twice, is_too = tables_of().read(rows, 2 * pipeline, np.full(200, 10.0))
    np.testing.assert_array_equal(is_ordering, is_too)
    np.testing.assert_allclose(twice, 2 * level)
    assert 0 < is_ordering.sum() < 200


def test_between_levels_an_order_up_to_one_level_stays_one() -> None:
    """A table that orders up to 11 units reads 11 from any parts of units, as far as its surroundings order."""
    tables = PlanTables.of({"plum": (ORDERED_UP,)}, LEAD)
    pipeline = np.random.default_rng(2).uniform(0, 5, (100, LEAD))
    level, is_ordering = tables.read(np.zeros(100, dtype=np.int64), pipeline, np.full(100, 10.0))
    assert is_ordering.all()
    np.testing.assert_allclose(level, 11.0)


def test_the_nearest_size_of_demand_is_read() -> None:
    """In proportion: 21 a day is nearer to 40 than to 10."""
    rows = np.ones(4, dtype=np.int64)
    tables = tables_of()
    assert tables.rows(("pear", "quince", "apple")).tolist() == [1, -1, 0]
    empty = np.zeros((4, LEAD))
    level, _ = tables.read(rows, empty, np.array([8.0, 19.0, 21.0, 80.0]))
    np.testing.assert_allclose(level, 11.0 * np.array([0.8, 1.9, 21 / 40, 2.0]))


def test_states_beyond_a_table_order_nothing() -> None:
    """Its edge orders nothing there."""
    full = np.array([[500.0, 0.0], [500.0, 900.0]])
    assert not tables_of().read(np.zeros(2, dtype=np.int64), full, np.full(2, 5.0))[1].any()


def test_tables_are_stored_as_they_were() -> None:
    """Flat arrays of numbers; arrays of other tables are refused."""
    tables = tables_of(2, 4)
    tensors = tables.to_tensors()
    again = PlanTables.from_tensors(tables.products, tensors, LEAD)
    pipeline = np.random.default_rng(3).uniform(0, 20, (50, LEAD))
    rows, usual = np.random.default_rng(4).integers(0, 2, 50), np.full(50, 7.0)
    for one, other in zip(tables.read(rows, pipeline, usual), again.read(rows, pipeline, usual), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(PolicyError, match="tables of 2 products don't fit together"):
        PlanTables.from_tensors(tables.products, tensors | {"plan.orders": tensors["plan.orders"][1:]}, LEAD)
