"""Monte Carlo on the shared core agrees with exact values, and looking ahead pays where it should."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray
from rl.errors import ShopError
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.simulate import simulate
from rl.shops.recommendation.tabular_shop import TabularShop, tabular_settings
from rl.shops.recommendation.true_value import TrueValue, true_policy_value

GAMMA = 0.95
# One in 16,000 for each comparison of a right program; a wrong one is off by tens.
TOLERANCE_IN_STANDARD_ERRORS = 4


def played_value(tabular: TabularShop, table: FloatArray) -> TrueValue:
    settings, keys = tabular.settings, list(tabular.shop.catalogue.item_ids)
    return true_policy_value(
        settings,
        tabular.policy(table, keys),
        action_keys=keys,
        first_date=settings.first_date,
        last_date=settings.last_date,
        discount=DiscountFunction(GAMMA),
        n_sessions=30_000,
    )


@pytest.mark.parametrize("is_flat", [False, True])
@pytest.mark.parametrize("name", ["uniform", "greedy", "optimal"])
def test_monte_carlo_agrees_with_exact_value(name: str, is_flat: bool) -> None:
    """The played value lies within four standard errors of the exact one, which it knows to 1.5 percent."""
    settings = tabular_settings()
    tabular = TabularShop(settings.flat() if is_flat else settings)
    table = {
        "uniform": tabular.uniform_table(),
        "greedy": tabular.greedy_table(),
        "optimal": tabular.optimal_table(GAMMA),
    }[name]
    played = played_value(tabular, table)
    assert abs(played.value - tabular.value(table, GAMMA)) < TOLERANCE_IN_STANDARD_ERRORS * played.standard_error
    assert played.standard_error < 0.015 * played.value


@pytest.mark.parametrize("name", ["behavior", "greedy"])
def test_monte_carlo_agrees_with_exact_value_for_hidden_tastes(name: str) -> None:
    """So it does with two taste types that no observation tells."""
    tabular = TabularShop(tabular_settings(n_taste_types=2))
    table = tabular.behavior_table() if name == "behavior" else tabular.greedy_table()
    played = played_value(tabular, table)
    assert abs(played.value - tabular.value(table, GAMMA)) < TOLERANCE_IN_STANDARD_ERRORS * played.standard_error


def test_looking_ahead_pays() -> None:
    """The optimum is worth at least 30 percent more than the greedy policy, which is itself better than the log's."""
    tabular = TabularShop(tabular_settings())
    optimal = tabular.value(tabular.optimal_table(GAMMA), GAMMA)
    greedy = tabular.value(tabular.greedy_table(), GAMMA)
    assert optimal > 1.3 * greedy
    assert greedy > 1.05 * tabular.value(tabular.behavior_table(), GAMMA)


def test_looking_ahead_does_not_pay_in_the_flat_shop() -> None:
    """Without boredom and delay, greedy is optimal to the last digits."""
    tabular = TabularShop(tabular_settings().flat())
    optimal = tabular.value(tabular.optimal_table(GAMMA), GAMMA)
    assert tabular.value(tabular.greedy_table(), GAMMA) == pytest.approx(optimal, rel=1e-12)


def test_optimum_is_a_fixed_point() -> None:
    """No single deviation from the optimal table is better: its own action values are highest at its actions."""
    tabular = TabularShop(tabular_settings())
    table = tabular.optimal_table(GAMMA)
    action_values = tabular.action_values(table, GAMMA)
    assert ((action_values * table).sum(axis=1) >= action_values.max(axis=1) - 1e-12).all()


def test_action_values_average_to_the_policy_value() -> None:
    """The first decision's action values, weighted by the policy, are its value."""
    tabular = TabularShop(tabular_settings())
    table = tabular.behavior_table()
    first = (tabular.action_values(table, GAMMA)[0] * table[0]).sum()
    assert first == pytest.approx(tabular.value(table, GAMMA), rel=1e-12)


def test_observation_determines_the_state() -> None:
    """Rewards seen in the log average to the exact expected points in every well visited observed state and action."""
    settings = tabular_settings(n_shoppers=3000)
    tabular = TabularShop(settings)
    played = simulate(tabular.shop).played
    state = tabular.observed_state(played.observation)
    cell = state * tabular.shop.n_items + played.responses.item
    count = np.bincount(cell)
    mean = np.bincount(cell, weights=played.responses.points) / np.maximum(count, 1)
    deviation = np.sqrt(
        np.maximum(np.bincount(cell, weights=played.responses.points**2) / np.maximum(count, 1) - mean**2, 1e-9)
    )
    exact = tabular.action_values(tabular.uniform_table(), 1e-12).ravel()[: len(count)]
    well_visited = count >= 200
    assert well_visited.sum() >= 30
    error = np.abs(mean - exact)[well_visited] / (deviation / np.sqrt(np.maximum(count, 1)))[well_visited]
    # The greatest of up to a hundred standard normal errors; five is beyond one in ten thousand.
    assert error.max() < 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"out_of_stock_rate": 0.1}, "stock"), ({"taste_noise": 0.1}, "noise")],
)
def test_tabular_shop_refuses_states_it_can_not_hold(change: dict[str, float], reason: str) -> None:
    """What the tables don't hold is refused with the reason, and so is an ordinary shop."""
    with pytest.raises(ShopError, match=reason):
        TabularShop(tabular_settings().model_copy(update=change))
    with pytest.raises(ShopError, match=r"steps|noise"):
        TabularShop(ShopSettings())


def test_optimum_is_refused_for_hidden_tastes() -> None:
    """Where the observation doesn't determine the state, value iteration over it would be wrong."""
    with pytest.raises(ShopError, match="one taste type"):
        TabularShop(tabular_settings(n_taste_types=2)).optimal_table(GAMMA)
