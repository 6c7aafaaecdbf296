"""Offers at a price of money: the best that any budget buys, and never more than it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.errors import PolicyError
from rl.policy.offer_budget import NOTHING, choose_at_price, price_of_budget, spend_path

NUMBERS = st.integers(-3, 6).map(float)
SHOPS = st.integers(1, 5).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=n, max_size=n).map(np.array),
        st.lists(st.lists(st.integers(0, 4).map(float), min_size=3, max_size=3), min_size=n, max_size=n).map(np.array),
        st.integers(0, 12).map(float),
    )
)


def _worth(values: np.ndarray, costs: np.ndarray, chosen: np.ndarray) -> tuple[float, float]:
    given = [(row, action) for row, action in enumerate(chosen.tolist()) if action != NOTHING]
    return sum(values[one] for one in given), sum(costs[one] for one in given)


@given(SHOPS)
@settings(max_examples=300)
def test_no_choice_that_costs_as_little_is_worth_more(shop: tuple[np.ndarray, np.ndarray, float]) -> None:
    """At every price: the choice is the best among all choices that cost at most as much."""
    values, costs, budget = shop
    price = price_of_budget(spend_path(values, costs), budget)
    chosen = choose_at_price(values, costs, price)
    worth, spent = _worth(values, costs, chosen)
    assert spent <= budget
    for other in product(range(NOTHING, 3), repeat=len(values)):
        its_worth, its_spent = _worth(values, costs, np.array(other))
        if its_spent <= spent:
            assert its_worth <= worth + 1e-9


@given(SHOPS)
@settings(max_examples=200)
def test_a_unit_s_choice_at_a_price_is_its_own(shop: tuple[np.ndarray, np.ndarray, float]) -> None:
    """Value less price times cost is greatest for it, whoever else there is."""
    values, costs, price = shop
    chosen = choose_at_price(values, costs, price)
    for row, action in enumerate(chosen.tolist()):
        alone = choose_at_price(values[row : row + 1], costs[row : row + 1], price)
        assert alone.tolist() == [action]
        net = values[row] - price * costs[row]
        own = 0.0 if action == NOTHING else net[action]
        assert own == pytest.approx(max(0.0, net.max()))


def test_steps_of_a_unit_follow_one_another() -> None:
    """Prices never rise along a unit's steps, also where rounding would have it."""
    generator = np.random.default_rng(5)
    values, costs = generator.normal(0.5, 1, (200, 6)).round(1), generator.integers(0, 9, (200, 6)) / 10
    path = spend_path(values, costs)
    assert (np.diff(path.price[np.isfinite(path.price)]) <= 0).all()
    at = np.full(200, NOTHING)
    for unit, before, action in zip(path.unit, path.before, path.action, strict=True):
        assert at[unit] == before
        at[unit] = action
    assert (path.value > 0).all()
    assert (path.cost >= 0).all()


def test_a_budget_that_pays_for_everything_has_no_price() -> None:
    """Each unit gets its best action, and none that loses."""
    values, costs = np.array([[1.0, 2.0], [-1.0, -2.0]]), np.array([1.0, 5.0])
    path = spend_path(values, costs)
    assert price_of_budget(path, 5.0) == 0.0
    assert price_of_budget(path, 4.9) > 0.0
    assert choose_at_price(values, costs, 0.0).tolist() == [1, NOTHING]
    assert price_of_budget(spend_path(-values[:1], costs), 0.0) == 0.0


@pytest.mark.parametrize(("value", "cost"), [(np.nan, 1.0), (1.0, np.inf), (1.0, -0.5)])
def test_what_is_no_value_or_cost_is_refused(value: float, cost: float) -> None:
    """A shopper with a missing prediction would silently get nothing."""
    with pytest.raises(PolicyError, match="cost"):
        spend_path(np.array([[value]]), np.array([cost]))
