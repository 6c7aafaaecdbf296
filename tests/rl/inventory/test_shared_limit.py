"""A limit that products share: kept on every day, and used where it brings most."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.policies.base_stock import newsvendor
from rl.inventory.replay import replayed
from rl.inventory.shared_limit import PackValues, PricedOrders, packs_within, price_on_validation
from rl.inventory.stock import StockRules
from tests.rl.inventory.states import states

MEANS, ROOM = (2.0, 5.0, 9.0), np.array([4, 1, 2])
RULES = StockRules(1, 1.0, 9.0)


def _values(pack: int = 1, most: int = 60) -> PackValues:
    exposed = [DemandDistribution.poisson(mean).over_periods(2) for mean in MEANS]
    return PackValues(exposed, np.full(3, 9.0), np.full(3, 1.0), np.full(3, pack), most)


def _demand(n_days: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(MEANS, (n_days, 3)).T.astype(np.int64)


def test_without_limit_and_price_each_product_orders_as_a_newsvendor() -> None:
    found = PricedOrders(_values(), ROOM, 10**6, 0.0).order(states((0,), (3,), (30,)))
    levels = [newsvendor(DemandDistribution.poisson(mean), RULES).level for mean in MEANS]
    assert found.tolist() == [levels[0], levels[1] - 3, 0]


@settings(max_examples=25, deadline=None)
@given(limit=st.integers(0, 120), price=st.floats(0, 3), pack=st.integers(1, 4), seed=st.integers(0, 99))
def test_the_limit_is_kept_on_every_day(limit: int, price: float, pack: int, seed: int) -> None:
    policy = PricedOrders(_values(pack), ROOM, limit, price)
    units = replayed(policy, _demand(30, seed), RULES, opening=np.zeros((3, 1), dtype=np.int64))
    positions = units.stock + units.order  # a lead time of one: all that there is
    assert (ROOM @ positions <= limit).all()
    assert (units.order % pack == 0).all()


def test_with_rooms_alike_no_other_choice_of_packs_is_worth_more() -> None:
    values = _values(most=4).of(np.array([3, 8, 15]))
    found = packs_within(values, np.ones(3, dtype=np.int64), 6, 0.0)
    best = max(
        sum(values[row, :n].sum() for row, n in enumerate(packs))
        for packs in product(range(5), repeat=3)
        if sum(packs) <= 6
    )
    assert sum(values[row, :n].sum() for row, n in enumerate(found)) == pytest.approx(best)


def test_a_higher_price_never_orders_more() -> None:
    orders = [PricedOrders(_values(), ROOM, 10**6, price).order(states((1,), (1,), (1,))) for price in (0, 0.5, 2, 9)]
    assert all((after <= before).all() for before, after in pairwise(orders))
    assert orders[-1].sum() < orders[0].sum()


def test_the_price_of_least_cost_on_validation_is_found_and_too_high_a_price_costs() -> None:
    """Best-first lists share a tight room well without a price: the least of the best prices is taken."""
    prices = [3.0, 0.0, 0.5]
    found, costs = price_on_validation(
        lambda price: PricedOrders(_values(), ROOM, 60, price), _demand(400), RULES, prices
    )
    assert found == 0.0
    assert costs[0] > 1.2 * costs[1]


def test_a_pack_that_does_not_fit_ends_its_product_and_not_the_others() -> None:
    values = np.array([[9.0, 8.0], [3.0, 2.0]])
    assert packs_within(values, np.array([5, 2]), 4, 0.0).tolist() == [0, 2]


def test_over_full_rooms_order_nothing() -> None:
    assert PricedOrders(_values(), ROOM, 10, 0.0).order(states((9,), (9,), (9,))).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("room", "limit", "price"), [(ROOM, -1, 0.0), (ROOM, 5, -0.5), (ROOM * 1.0, 5, 0.0), (ROOM[:2], 5, 0.0)]
)
def test_limits_that_are_none_are_refused(room: np.ndarray, limit: int, price: float) -> None:
    with pytest.raises(InventoryError):
        PricedOrders(_values(), room, limit, price)
