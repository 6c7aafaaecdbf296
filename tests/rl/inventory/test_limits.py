"""Packs, least orders and storage, for any wish."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rl.errors import InventoryError
from rl.inventory.limits import OrderLimits, WithinLimits
from rl.inventory.policies.base_stock import BaseStock
from tests.rl.inventory.states import states


def _limits(pack: int, least: int, storage: int) -> OrderLimits:
    return OrderLimits(*(np.array([value]) for value in (pack, least, storage)))


@given(
    pack=st.integers(1, 12),
    least=st.integers(0, 40),
    storage=st.integers(0, 80),
    wished=st.integers(0, 100),
    position=st.integers(0, 90),
)
def test_every_order_is_allowed_and_none_that_is_allowed_is_nearer(
    pack: int, least: int, storage: int, wished: int, position: int
) -> None:
    limits = _limits(pack, least, storage)
    found = int(limits.nearest(np.array([wished]), np.array([position]))[0])
    every = np.arange(0, 150)
    allowed = every[limits.allowed(every, np.array([position]))[0]]
    assert found in allowed
    assert abs(found - wished) == np.abs(allowed - wished).min()


def test_a_policy_within_limits_orders_whole_packs() -> None:
    limits = OrderLimits(np.array([6, 6, 1]), np.array([0, 12, 0]), np.array([50, 50, 9]))
    policy = WithinLimits(BaseStock(16), limits)
    assert policy.order(states((8, 0), (8, 0), (8, 0))).tolist() == [6, 12, 1]


def test_limits_that_are_none_are_refused_together() -> None:
    with pytest.raises(InventoryError, match="pack_size below 1; least_order below 0"):
        _limits(0, -1, 5)


def test_limits_of_other_products_are_refused() -> None:
    with pytest.raises(InventoryError, match="2 products, limits of 1"):
        WithinLimits(BaseStock(3), _limits(1, 0, 9)).order(states((1,), (2,)))


def test_a_product_that_needs_some_gets_the_least_that_fits() -> None:
    """Nothing where even that doesn't fit, and what is nearest where that is something."""
    limits = OrderLimits(np.array([6, 6, 6, 6]), np.array([0, 10, 0, 0]), np.array([99, 99, 5, 99]))
    wished, position, some = np.array([2, 2, 2, 13]), np.zeros(4, dtype=np.int64), np.ones(4, dtype=np.bool_)
    assert limits.nearest(wished, position).tolist() == [0, 0, 0, 12]
    assert limits.nearest(wished, position, needs_some=some).tolist() == [6, 12, 0, 12]
