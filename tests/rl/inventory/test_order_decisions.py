"""Logged orders as decisions: what is known of orders that were not placed."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.order_decisions import ActorPolicy, OrderHead, ValuePolicy, as_logged, relabelled
from rl.inventory.order_log import OrderLog
from rl.inventory.stock import StockStates, after_period
from rl.policy.network import DenseNetwork
from rl.shops.inventory.logged_orders import buyer_of, simulate_orders
from rl.shops.inventory.test_bed import Cell
from tests.rl.inventory.states import rules, states

CELL = Cell(9, 2)
UNITS = OrderHead("order", 0, 16, 5.0)
LEVELS = OrderHead("target", 8, 20, 5.0)


@pytest.fixture(scope="module")
def logged() -> tuple[OrderLog, np.ndarray]:
    return simulate_orders(CELL, buyer_of(CELL), n_periods=500, seed=3)


@pytest.mark.parametrize("head", [UNITS, LEVELS])
def test_actions_and_orders_are_inverse_where_the_head_can_say_the_order(head: OrderHead) -> None:
    position = np.array([3, 9, 12, 20])
    orders = np.array([6, 0, 4, 2])
    assert head.orders(head.actions(orders, position), position).tolist() == orders.tolist()


def test_base_stock_head_orders_nothing_above_its_target() -> None:
    assert LEVELS.orders(np.array([0, 5]), np.array([10, 10])).tolist() == [0, 3]


def test_rewards_differ_from_true_costs_by_what_no_order_moves(logged: tuple[OrderLog, np.ndarray]) -> None:
    """Only lost demand of the period itself, which the penalty for each unit asked for completes."""
    log, demand = logged
    episodes = as_logged(log, CELL.rules, UNITS)
    true = -(log.left_over + 9.0 * (demand - log.sales))
    constant = episodes.reward - true - 9.0 * demand
    assert constant == pytest.approx(np.full(500, constant[0]))
    assert episodes.reward.mean() == pytest.approx(0, abs=1e-9)


def test_as_logged_is_one_episode_whose_observations_follow_each_other(logged: tuple[OrderLog, np.ndarray]) -> None:
    log, _ = logged
    episodes = as_logged(log, CELL.rules, UNITS)
    assert (episodes.n_episodes, episodes.timeout.sum(), episodes.terminal.sum()) == (1, 1, 0)
    assert (episodes.next_features[:-1] == episodes.features[1:]).all()
    assert (episodes.action == np.minimum(log.order, 15)).all()


def test_relabelled_rows_are_what_the_rules_of_stock_say(logged: tuple[OrderLog, np.ndarray]) -> None:
    log, demand = logged
    found = relabelled(log, CELL.rules, LEVELS, n_copies=2, generator=np.random.default_rng(0))
    assert found.n_transitions == found.n_episodes == 1000
    for copy in range(2):
        part = slice(500 * copy, 500 * (copy + 1))
        orders = LEVELS.orders(found.action[part], log.pipeline.sum(axis=1))
        following, _ = after_period(StockStates(log.pipeline), orders, demand)
        assert (found.next_features[part] == LEVELS.features(following.pipeline)).all()
    assert len(np.unique(found.action)) == 20


@pytest.mark.parametrize("lead_time", [1, 2, 3])
def test_rewards_on_arrival_are_those_of_the_period_that_the_order_arrives_in(lead_time: int) -> None:
    """Led through the same days with the one order changed, the stock earns just that when the order has come."""
    cell = Cell(9, lead_time)
    log, demand = simulate_orders(cell, buyer_of(cell), n_periods=60, seed=3)
    found = relabelled(log, cell.rules, LEVELS, n_copies=1, generator=np.random.default_rng(0), demand=demand)
    assert found.n_transitions == 60 - lead_time
    orders = LEVELS.orders(found.action, log.pipeline.sum(axis=1)[: 60 - lead_time])
    earned = []
    for start, order in enumerate(orders.tolist()):
        at = StockStates(log.pipeline[start : start + 1])
        for day in range(start, start + lead_time):
            at, _ = after_period(at, np.array([order if day == start else 0]), demand[day : day + 1])
        _, units = after_period(at, np.array([0]), demand[start + lead_time : start + lead_time + 1])
        earned.append(9.0 * units.sales[0] - units.left_over[0])
    assert found.reward == pytest.approx(np.array(earned) - np.mean(earned))


def test_rewards_on_arrival_need_demand_of_each_period(logged: tuple[OrderLog, np.ndarray]) -> None:
    log, demand = logged
    with pytest.raises(InventoryError, match=r"demand has shape \(400,\)"):
        relabelled(log, CELL.rules, LEVELS, n_copies=1, generator=np.random.default_rng(0), demand=demand[:400])


def test_actor_policy_orders_between_the_least_and_the_largest() -> None:
    network = DenseNetwork((np.array([[1.0, 0.0]], dtype=np.float32),), (np.zeros(1, dtype=np.float32),))
    policy = ActorPolicy(network, OrderHead("order", 2, 9, 1.0))
    assert policy.order(states((-50, 0), (0, 7), (50, 0))).tolist() == [2, 6, 10]


def test_value_policy_takes_the_action_of_most_value() -> None:
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.6]], dtype=np.float32)
    network = DenseNetwork((weights,), (np.zeros(3, dtype=np.float32),))
    policy = ValuePolicy(network, OrderHead("target", 9, 3, 1.0))
    assert policy.order(states((4, 1), (1, 4), (3, 3))).tolist() == [4, 5, 5]


@pytest.mark.parametrize("values", [("order", -1, 5, 1.0), ("order", 0, 1, 1.0), ("target", 0, 5, 0.0)])
def test_heads_without_choice_are_refused(values: tuple[str, int, int, float]) -> None:
    with pytest.raises(InventoryError, match="no choice among orders"):
        OrderHead(*values)


def test_relabelling_needs_a_copy(logged: tuple[OrderLog, np.ndarray]) -> None:
    with pytest.raises(InventoryError, match="n_copies=0"):
        relabelled(logged[0], rules(), UNITS, n_copies=0, generator=np.random.default_rng(0))
