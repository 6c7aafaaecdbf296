"""Any policy within a shared room: the limit holds on every day, and costs as little as a price can make it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from rl.errors import InventoryError
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.inventory.replay import ReplayedUnits, replayed
from rl.inventory.shared_room import PricedPolicy, PricedSafety, SharedRoom, best_price
from rl.inventory.stock import StockRules, StockStates

RULES, ROOM = StockRules(2, 1.0, 9.0), np.array([1, 2, 5])
MEANS = np.array([3.0, 8.0, 5.0])
FORECASTS = np.repeat(MEANS[:, None], 3, axis=1)


class _Stubborn:
    """Orders the same at any price."""

    def order_at(self, states: StockStates, price: float) -> np.ndarray:  # noqa: ARG002  (the protocol's)
        return np.array([7, 9, 4])


def _priced(offset: float = 0.0) -> PricedSafety:
    return PricedSafety(lambda safety: ForecastBaseStock(safety, 2), RULES, ROOM, offset)


def _replayed(policy: SharedRoom, seed: int = 0, n_days: int = 40) -> ReplayedUnits:
    demand = np.random.default_rng(seed).poisson(MEANS, (n_days, 3)).T.astype(np.int64)
    features = np.repeat(FORECASTS[:, None], n_days, axis=1)
    opening = np.zeros((3, 2), dtype=np.int64)
    return replayed(policy, demand, RULES, features=features, opening=opening)


def test_without_a_price_it_is_the_critical_ratios_safety() -> None:
    at = StockStates(np.zeros((3, 2), dtype=np.int64), FORECASTS)
    expected = ForecastBaseStock(float(norm.ppf(0.9)) + 0.2, 2).order(at)
    assert (_priced(0.2).order_at(at, 0.0) == expected).all()


def test_a_price_lowers_most_what_takes_most_room() -> None:
    at = StockStates(np.zeros((3, 2), dtype=np.int64), np.full((3, 3), 5.0))
    free, dear = (_priced().order_at(at, price) for price in (0.0, 1.0))
    assert free[0] == free[1] == free[2]
    assert free[0] > dear[0] > dear[1] > dear[2]


@settings(max_examples=30, deadline=None)
@given(
    limit=st.integers(0, 250),
    price=st.floats(0, 3),
    offset=st.floats(-1, 3),
    is_stubborn=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_limit_is_kept_on_every_day(limit: int, price: float, offset: float, is_stubborn: bool, seed: int) -> None:
    policy: PricedPolicy = _Stubborn() if is_stubborn else _priced(offset)
    units = _replayed(SharedRoom(policy, ROOM, limit, price, 9.0), seed)
    assert (ROOM @ units.positions <= limit).all()


def test_room_that_is_short_is_used_up() -> None:
    """Twelve halvings of the day's price leave at most a unit or two of room that another unit would have taken."""
    units = _replayed(SharedRoom(_priced(), ROOM, 110, 0.0, 9.0))
    taken = ROOM @ units.positions
    assert (taken[3:] >= 100).mean() > 0.9


def test_room_for_everything_changes_nothing() -> None:
    at = StockStates(np.zeros((3, 2), dtype=np.int64), FORECASTS)
    assert (SharedRoom(_priced(), ROOM, 10**6, 0.0, 9.0).order(at) == _priced().order_at(at, 0.0)).all()


def test_an_over_full_room_orders_nothing() -> None:
    at = StockStates(np.full((3, 2), 30), FORECASTS)
    assert SharedRoom(_Stubborn(), ROOM, 100, 0.0, 9.0).order(at).tolist() == [0, 0, 0]


def test_of_equally_cheap_prices_the_least_is_taken() -> None:
    costs = {0.0: 5.0, 1.0: 3.0, 2.0: 3.0, 4.0: 6.0}
    assert best_price(costs.__getitem__, [4.0, 2.0, 1.0, 0.0]) == (1.0, 3.0)


@pytest.mark.parametrize(
    ("room", "limit", "price"), [(ROOM, -1, 0.0), (ROOM, 5, 9.5), (ROOM * 1.0, 5, 0.0), (ROOM * 0, 5, 0.0)]
)
def test_rooms_that_are_none_are_refused(room: np.ndarray, limit: int, price: float) -> None:
    with pytest.raises(InventoryError):
        SharedRoom(_Stubborn(), room, limit, price, 9.0)


def test_products_without_room_are_refused() -> None:
    with pytest.raises(InventoryError, match="2 products, the room is shared by 3"):
        SharedRoom(_Stubborn(), ROOM, 9, 0.0, 9.0).order(StockStates(np.zeros((2, 2), dtype=np.int64)))


def test_no_price_to_try_is_refused() -> None:
    with pytest.raises(InventoryError, match="no prices"):
        best_price(lambda _: 0.0, [])
