"""A log of orders as logged decisions, which every learner of values takes: what was seen, ordered and earned.

The reward is known from the log alone: demand that was lost costs its penalty whatever the order, so earning the
penalty for each unit sold is the same but for a constant that no order moves.

Demand doesn't depend on orders, and what is left over depends on the stock alone. Where that is declared, every period
tells what each other order would have led to: the stock of the next period is known for all of them (relabelling), and
so is the period in which the order arrives, the first that it can change. Counted there, an order's reward comes with
the order itself, not a lead time later among what earlier orders earn.

Source: Zipkin, Old and New Methods for Lost-Sales Inventory Systems (2008), section 2, for costs counted on arrival.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl.data.logged_episodes import (
    MICROSECONDS_PER_DAY,
    BoolArray,
    FeatureArray,
    FloatArray,
    IntArray,
    LoggedEpisodes,
)
from rl.errors import InventoryError
from rl.inventory.order_log import OrderLog
from rl.inventory.stock import StockRules, StockStates
from rl.policy.network import Network


@dataclass(frozen=True)
class OrderHead:
    """What an action is.

    Attributes:
        kind: `order`: so many units; `target`: the base-stock head, which orders up to so many, on hand and on the way.
        least: units that action 0 stands for.
        n_actions: whole numbers of units from there on.
        scale: units that features measure stock in.
    """

    kind: Literal["order", "target"]
    least: int
    n_actions: int
    scale: float

    def __post_init__(self) -> None:
        if self.least < 0 or self.n_actions < 2 or not self.scale > 0:
            raise InventoryError(f"no choice among orders: {self}; expected two actions or more, units of at least 0")

    def orders(self, actions: IntArray, position: IntArray) -> IntArray:
        """Return the units that the actions order, `(n,)`."""
        units = self.least + actions
        return np.asarray(units if self.kind == "order" else np.maximum(units - position, 0))

    def actions(self, orders: IntArray, position: IntArray) -> IntArray:
        """Return the nearest action to each order, `(n,)`."""
        units = orders if self.kind == "order" else position + orders
        return np.clip(units - self.least, 0, self.n_actions - 1).astype(np.int64)

    def features(self, pipeline: IntArray) -> FeatureArray:
        """Return what a network sees of a pipeline, `(n, lead_time)`."""
        return (pipeline / self.scale).astype(np.float32)


@dataclass(frozen=True)
class ValuePolicy:
    """Orders by the action that a network values most.

    Attributes:
        network: features to one output an action.
        head: what the actions are.
    """

    network: Network
    head: OrderHead

    def order(self, states: StockStates) -> IntArray:
        values = self.network.forward(self.head.features(states.pipeline))
        return self.head.orders(np.argmax(values, axis=1).astype(np.int64), states.position)


@dataclass(frozen=True)
class ActorPolicy:
    """Orders what a network says, which lies between the least and the largest action.

    Attributes:
        network: features to one output, whose hyperbolic tangent runs from -1, the least action, to 1, the largest.
        head: what the actions are.
    """

    network: Network
    head: OrderHead

    def order(self, states: StockStates) -> IntArray:
        scaled = np.tanh(self.network.forward(self.head.features(states.pipeline))[:, 0].astype(np.float64))
        actions = np.floor((scaled + 1) / 2 * (self.head.n_actions - 1) + 0.5).astype(np.int64)
        return self.head.orders(actions, states.position)


def as_logged(log: OrderLog, rules: StockRules, head: OrderHead) -> LoggedEpisodes:
    """Return the log as one episode that time cut off, its orders as they were."""
    position = log.pipeline.sum(axis=1)
    timeout = np.zeros(log.n_periods, dtype=bool)
    timeout[-1] = True
    return decision_rows(
        head.features(log.pipeline),
        head.features(log.following_pipelines()),
        head.actions(log.order, position),
        _rewards(log, rules),
        timeout,
        head.n_actions,
    )


def relabelled(
    log: OrderLog,
    rules: StockRules,
    head: OrderHead,
    *,
    n_copies: int,
    generator: np.random.Generator,
    demand: IntArray | None = None,
) -> LoggedEpisodes:
    """Return each period several times, with actions drawn evenly and the stock that these would have led to.

    Each row is an episode of its own, cut by time after one step.

    Args:
        log: the product's periods; demand is declared not to depend on orders.
        rules: costs.
        head: what actions are.
        n_copies: of each period, at least 1.
        generator: of the actions.
        demand: of the log's periods, `(n,)`, drawn from its law where they ran out: a row's reward is then that of the
            period in which its order arrives, and the last periods, whose orders arrive after the log, have no row.
            None counts the reward of the period of the order.

    Raises:
        InventoryError: no copies, or demand that isn't of this log's periods.
    """
    if n_copies < 1:
        raise InventoryError(f"each period must stand at least once, got n_copies={n_copies}")
    n = log.n_periods if demand is None else log.n_periods - rules.lead_time
    if n < 1 or (demand is not None and demand.shape != log.order.shape):
        raise InventoryError(
            f"demand has shape {None if demand is None else demand.shape}, the log {log.n_periods} periods, orders "
            f"take {rules.lead_time}; "
            "expected demand of each period, and more periods than that"
        )
    position = log.pipeline.sum(axis=1)
    actions = generator.integers(head.n_actions, size=(n_copies, log.n_periods))
    orders = [head.orders(drawn, position) for drawn in actions]
    following = [head.features(log.following_pipelines(units)[:n]) for units in orders]
    if demand is None:
        rewards = np.tile(_rewards(log, rules), n_copies)
    else:
        rewards = _centered(np.concatenate([_earned_on_arrival(log, rules, units, demand) for units in orders]))
    return decision_rows(
        np.tile(head.features(log.pipeline)[:n], (n_copies, 1)),
        np.concatenate(following),
        actions[:, :n].reshape(-1),
        rewards,
        np.ones(n_copies * n, dtype=bool),
        head.n_actions,
    )


def _rewards(log: OrderLog, rules: StockRules) -> FloatArray:
    return _centered(rules.penalty * log.sales - rules.holding_cost * log.left_over)


def _earned_on_arrival(log: OrderLog, rules: StockRules, orders: IntArray, demand: IntArray) -> FloatArray:
    """Return what each period's order leads to in the period of its arrival, in money, `(n - lead_time,)`."""
    n = log.n_periods - rules.lead_time
    left_over = log.left_over[:n]
    for ahead in range(1, rules.lead_time):
        left_over = np.maximum(left_over + log.pipeline[:n, ahead] - demand[ahead : ahead + n], 0)
    stock = left_over + orders[:n]
    sales = np.minimum(stock, demand[rules.lead_time :])
    return np.asarray(rules.penalty * sales - rules.holding_cost * (stock - sales), dtype=np.float64)


def _centered(earned: FloatArray) -> FloatArray:
    """Return what was earned less its mean: no order moves that, and values are learned as differences from it."""
    return np.asarray(earned - earned.mean(), dtype=np.float64)


def decision_rows(
    features: FeatureArray,
    next_features: FeatureArray,
    action: IntArray,
    reward: FloatArray,
    timeout: BoolArray,
    n_actions: int,
) -> LoggedEpisodes:
    """Return decisions as episodes, each cut by time where `timeout` says so; every action is open to all.

    Args:
        features: seen at each decision, `(n, n_features)`.
        next_features: seen at the next one.
        action: `(n,)`.
        reward: money, `(n,)`.
        timeout: the last decision of each episode, `(n,)`.
        n_actions: that there are.
    """
    n, ends = len(action), np.flatnonzero(timeout) + 1
    zeros = np.zeros(n, dtype=np.int64)
    return LoggedEpisodes(
        features=features,
        next_features=next_features,
        action=action.astype(np.int64),
        reward=reward,
        terminal=np.zeros(n, dtype=bool),
        timeout=timeout,
        propensity=np.full(n, np.nan),
        availability=np.ones((1, n_actions), dtype=bool),
        mask_index=zeros,
        next_mask_index=zeros,
        offsets=np.append(0, ends).astype(np.int64),
        unit=np.arange(len(ends)),
        start_time=np.append(0, ends[:-1]) * MICROSECONDS_PER_DAY,
        elapsed_microseconds=np.full(n, MICROSECONDS_PER_DAY),
        policy_version=zeros,
    )
