"""Ordering policies: levels as their formulas say, whole packs, and files that give back the very same orders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from conf.specs.orders import ACTOR_LEARNERS, VALUE_LEARNERS
from rl.errors import PolicyError
from rl.inventory.limits import UnitLimits
from rl.inventory.order_policy import LEVELS, OFFSETS, ORDER_POLICY_FILE, OrderPolicy, load_order_policy
from rl.inventory.plan_tables import PlanTable, PlanTables
from rl.inventory.policies.forecast_levels import ForecastBaseStock, ForecastProjectedLevel
from rl.inventory.shared_orders import Room
from rl.inventory.shelf_life import ShelfLife
from rl.inventory.stock import StockStates
from rl.policy.network import DenseNetwork
from tests.rl.inventory.an_order_policy import LEAD, PRODUCTS, a_network, a_policy

ONES = np.ones(3, dtype=np.int64)
FORECASTS = np.array([[4.0, 5.0, 6.0], [4.0, 5.0, 6.0], [10.0, 10.0, 10.0]])
EMPTY = StockStates(np.zeros((3, LEAD), dtype=np.int64), FORECASTS)


def of_method(method: str, **given: Any) -> OrderPolicy:
    levels = (-2.0, 1.5) if method in ACTOR_LEARNERS else None
    plan = a_plan() if method == "plan" else None
    values = {"method": method, "network": network_of(method), "level_range": levels, "plan": plan}
    return a_policy(name=f"{method}-1", **(values | given))


def network_of(method: str) -> DenseNetwork | None:
    outputs: dict[str, int] = {
        "hindsight": 1,
        **dict.fromkeys(VALUE_LEARNERS, len(OFFSETS)),
        **dict.fromkeys(ACTOR_LEARNERS, 1),
    }
    return a_network(n_outputs=outputs[method]) if method in outputs else None


def a_plan() -> PlanTables:
    """Of apples and plums; pears have none."""
    up_to = np.maximum(np.arange(20)[::-1, None] - np.arange(12), 0)
    return PlanTables.of({"plum": (PlanTable(5.0, 1, 1, up_to),), "apple": (PlanTable(4.0, 1, 2, up_to // 2),)}, LEAD)


def test_a_level_is_the_forecast_and_the_quantile_that_a_product_s_own_margin_asks_for() -> None:
    """Margins of .4, .9 and 9.9 against .1 of holding ask for 80, 90 and 99 percent."""
    level, order = a_policy().of(PRODUCTS, ONES).advise(EMPTY)
    safety = norm.ppf([0.8, 0.9, 0.99])
    np.testing.assert_allclose(level, FORECASTS.sum(axis=1) + safety * np.sqrt(FORECASTS.sum(axis=1)))
    np.testing.assert_array_equal(order, np.floor(level + 0.5))


def test_formulas_order_as_the_policies_that_they_are_made_of() -> None:
    """With the safety that makes both the same, product by product."""
    states = StockStates(np.array([[3, 2], [0, 9], [12, 4]], dtype=np.int64), FORECASTS)
    for method, made in (("base_stock", ForecastBaseStock), ("projected_level", ForecastProjectedLevel)):
        orders = of_method(method).of(PRODUCTS, ONES)
        for row, quantile in enumerate(orders.quantiles().tolist()):
            alone = StockStates(states.pipeline[row : row + 1], FORECASTS[row : row + 1])
            assert orders.order(states)[row] == made(quantile, LEAD, (1.0, 0.0)).order(alone)[0], (method, row)


def test_unknown_products_have_the_usual_margin() -> None:
    """That of pears here."""
    level = a_policy().of(("pear", "quince", "plum"), ONES).advise(EMPTY)[0]
    assert level[0] == level[1] != level[2]


def test_from_a_reorder_point_on_batches_are_ordered() -> None:
    """Nothing above the point, and up to a batch above it from there on; a batch is what Harris says."""
    policy = a_policy(method="reorder_point", batch=1.0)
    orders = policy.of(PRODUCTS, ONES)
    batch = np.sqrt(2 * 0.5 * FORECASTS.mean(axis=1) / 0.1)
    np.testing.assert_allclose(orders.batches(FORECASTS), batch)
    point = a_policy().of(PRODUCTS, ONES).advise(EMPTY)[0]

    def order_at(position: np.ndarray) -> np.ndarray:
        return orders.order(StockStates(np.column_stack([position, 0 * position]), FORECASTS))

    np.testing.assert_array_equal(order_at(np.ceil(point).astype(np.int64)), [0, 0, 0])
    at_point = np.floor(point).astype(np.int64)
    np.testing.assert_array_equal(order_at(at_point), np.floor(point + batch - at_point + 0.5))


def test_a_cap_is_some_days_demand() -> None:
    """Two days of 5, 5 and 10 a day."""
    assert a_policy(method="capped_base_stock", cap=2.0).of(PRODUCTS, ONES).order(EMPTY).tolist() == [10, 10, 20]


@pytest.mark.parametrize("method", LEVELS)
def test_orders_are_whole_packs_within_the_limits(method: str) -> None:
    """Whatever the method, on stock of all kinds."""
    generator = np.random.default_rng(4)
    n = 200
    packs = generator.choice([1, 6, 12], n)
    names = tuple(PRODUCTS[row % 3] for row in range(n))
    states = StockStates(generator.integers(0, 40, (n, LEAD)), generator.uniform(0.1, 20, (n, LEAD + 1)))
    policy = of_method(method, least_order=7, most_units=60)
    order = policy.of(names, packs).order(states)
    assert (order % packs == 0).all()
    assert (order[order > 0] >= 7).all()
    assert (order[order > 0] + states.position[order > 0] <= 60).all()
    assert 0 < np.count_nonzero(order) < n


@pytest.mark.parametrize("method", LEVELS)
def test_a_policy_survives_being_written(tmp_path: Path, method: str) -> None:
    """The same version, and the same orders to the unit."""
    policy = of_method(method).with_numbers(safety=0.25, batch=0.5)
    policy.save(tmp_path)
    again = load_order_policy(tmp_path)
    assert again.version == policy.version
    level, order = policy.of(PRODUCTS, ONES).advise(EMPTY)
    level_again, order_again = again.of(PRODUCTS, ONES).advise(EMPTY)
    np.testing.assert_array_equal(level, level_again)
    np.testing.assert_array_equal(order, order_again)


def test_the_version_is_of_what_is_ordered() -> None:
    """Another number, margin or weight is another version; another name isn't."""
    policy = of_method("hindsight")
    assert a_policy(name="other", method="hindsight", network=a_network()).version == policy.version
    others = [
        policy.with_numbers(safety=0.1),
        a_policy(method="hindsight", network=a_network(1)),
        of_method("newsvendor"),
    ]
    assert len({policy.version, *(one.version for one in others)}) == 4


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"form": 9}, "form 9"),
        ({"method": "magic"}, "method 'magic'"),
        ({"safety": 9.0}, "says"),
        ({"margin": 3}, "read"),
    ],
)
def test_files_that_are_not_what_was_written_are_refused(
    tmp_path: Path, change: dict[str, object], expected: str
) -> None:
    """With what is wrong."""
    a_policy().save(tmp_path)
    path = tmp_path / ORDER_POLICY_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(PolicyError, match=expected):
        load_order_policy(tmp_path)


@pytest.mark.parametrize("said", [-50.0, -1.0, 0.0, 2.0, 50.0])
def test_a_learned_level_stays_within_its_range(said: float) -> None:
    """Whatever a network says: its hyperbolic tangent runs from the least level to the largest."""
    n_inputs = 2 * LEAD + 3
    network = DenseNetwork((np.zeros((1, n_inputs), np.float32),), (np.full(1, said, np.float32),))
    policy = of_method("cql", network=network)
    level = policy.of(PRODUCTS, ONES).advise(EMPTY)[0]
    safety = norm.ppf([0.8, 0.9, 0.99]) - 2.0 + (np.tanh(said) + 1) / 2 * 3.5
    np.testing.assert_allclose(level, FORECASTS.sum(axis=1) + safety * np.sqrt(FORECASTS.sum(axis=1)))


def test_a_learned_level_without_a_range_is_an_error(tmp_path: Path) -> None:
    """It would order without end; neither is a range that isn't one read from a file."""
    with pytest.raises(PolicyError, match="expected one, within a range of levels; train it again"):
        of_method("awac", level_range=None).of(PRODUCTS, ONES).advise(EMPTY)
    of_method("awac").save(tmp_path)
    path = tmp_path / ORDER_POLICY_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"level_range": [2.0, 1.0]}))
    with pytest.raises(PolicyError, match=r"levels from 2\.0 to 1\.0"):
        load_order_policy(tmp_path)


def test_a_plan_s_products_order_by_it_and_others_by_the_projected_level() -> None:
    """Also where only some products are asked for."""
    policy = of_method("plan")
    level, order = policy.of(PRODUCTS, ONES).advise(EMPTY)
    projected = of_method("projected_level").of(PRODUCTS, ONES).advise(EMPTY)[0]
    assert level[1] == projected[1]
    np.testing.assert_allclose(level[[0, 2]], [18.0 * 5 / 4, 19.0 * 10 / 5])
    some = np.array([False, True, True])
    bound = policy.of(PRODUCTS, ONES).for_rows(some)
    np.testing.assert_array_equal(bound.order(StockStates(EMPTY.pipeline[some], FORECASTS[some])), order[some])


def test_a_missing_network_is_an_error() -> None:
    """Rather than orders by nothing."""
    with pytest.raises(PolicyError, match="orders by a network and has none"):
        a_policy(method="hindsight").of(PRODUCTS, ONES).advise(EMPTY)


def packs_of(plum: int, *, on_hand: int = 0, **given: Any) -> int:
    """What is ordered of plums that come in packs of that size: 10 are asked for a day, of which each brings 9.9."""
    states = StockStates(np.array([[9, 9], [9, 9], [on_hand, 0]], dtype=np.int64), FORECASTS)
    return int(a_policy().of(PRODUCTS, np.array([1, 1, plum]), **given).order(states)[2])


def test_a_product_whose_level_is_below_half_a_pack_is_ordered_before_it_sells_out() -> None:
    """A level of 43: packs of 100 would round to nothing, with an empty shelf, too, and never be ordered again."""
    assert packs_of(100) == 100
    assert packs_of(200, on_hand=28) == 200
    # The stock lasts until the next order arrives, or so nearly that holding 200 for a day costs more.
    assert packs_of(200, on_hand=29) == packs_of(200, on_hand=30) == 0
    # As many as 1,900 bring something, in 190 days; more cost more to hold than they bring.
    assert packs_of(1900) == 1900
    assert packs_of(2200) == 0
    # What is too large for the most that there may be stays out, and a least order is a pack.
    assert packs_of(100, limits=UnitLimits(0, 99)) == 0
    assert packs_of(1, limits=UnitLimits(100, None)) == 100


def test_a_pack_that_is_wasted_before_it_is_sold_is_not_ordered() -> None:
    """Three days of life sell 30 of 100: they bring 297, and 70 that are thrown away cost 5 each, or nothing."""
    for cost, charged, expected in ((5, True, 0), (5, False, 100), (1, True, 100)):
        shelf = ShelfLife(np.array([0, 0, 3]), np.full(3, cost * 1_000_000), is_charged=charged)
        assert packs_of(100, shelf=shelf) == expected
    assert packs_of(100, shelf=ShelfLife(np.zeros(3, dtype=np.int64), None, is_charged=True)) == 100


def test_room_that_costs_something_is_part_of_what_a_pack_costs() -> None:
    """At .1 a piece and day 100 are held for 10 days; at 1 they bring less than their room costs."""
    room = Room(np.ones(3, dtype=np.int64), 10**6)
    states = StockStates(np.array([[9, 9], [9, 9], [0, 0]], dtype=np.int64), FORECASTS)
    bound = a_policy().of(PRODUCTS, np.array([1, 1, 100]), room)
    assert bound.at(0.1)._advise(states)[1][2] == 100
    assert bound.at(3.0)._advise(states)[1][2] == 0
