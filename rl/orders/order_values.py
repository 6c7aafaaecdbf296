"""Offline RL on orders: what levels are worth, learned from rows of logged decisions of many products.

An action is a level: so many standard deviations beside the quantile that a product's margin asks for. As it was
logged, a row holds the order of a day, what the day earned, and the stock of the next morning. Where demand is declared
not to depend on orders, the same day tells what every other level would have led to (relabelling): the next morning's
stock, and, on the day on which the order arrives, the first that it can change, what is sold and left.

Source: as of `rl.inventory.order_decisions`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from conf.specs.candidate import Candidate
from conf.specs.orders import OrderCandidate
from conf.specs.problem import DiscountRate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.errors import TrainingError
from rl.inventory.order_decisions import decision_rows
from rl.inventory.order_policy import OFFSETS, OrderPolicy, ProductOrders, network_inputs
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.learning.candidates import SeededCandidate
from rl.learning.training import TrainingSettings, train_candidate
from rl.orders.order_basis import OrderBasis
from rl.orders.order_replay import MILLIONTHS, OrderSpan
from rl.policy.network import DenseNetwork

DISCOUNT = 0.9
_LEAST_SCALE = 0.05
_ROWS_STREAM = 74
_OWN: dict[str, dict[str, float]] = {
    "double_dqn": {"target_update_interval": 100},
    "discrete_cql": {"target_update_interval": 100, "conservative_weight": 0.1},
    "discrete_iql": {"expectile": 0.9, "inverse_temperature": 10.0},
}
"""Settings of the algorithms, those of the test bed."""


@dataclass(frozen=True)
class ValueSettings:
    """How values are learned.

    Attributes:
        hidden_units: of each hidden layer.
        n_updates: gradient steps.
        batch_size: rows of an update.
        learning_rate: of Adam.
        n_checkpoints: networks that validation days choose from.
        n_copies: of each day with a level drawn anew, where rows are relabelled.
        n_threads: of the processor.
    """

    hidden_units: tuple[int, ...] = (64, 64)
    n_updates: int = 5000
    batch_size: int = 256
    learning_rate: float = 1e-3
    n_checkpoints: int = 5
    n_copies: int = 4
    n_threads: int = 1


def learn_values(
    policy: OrderPolicy,
    basis: OrderBasis,
    span: OrderSpan,
    candidate: OrderCandidate,
    *,
    settings: ValueSettings,
    seed: int,
) -> Iterator[tuple[int, DenseNetwork]]:
    """Yield the network after some updates, the last among them: features of a product to the value of each of OFFSETS.

    Args:
        policy: whose costs and quantiles it learns for.
        basis: draws the demand of days that ran out.
        span: days to learn from.
        candidate: algorithm and rows.
        settings: how.
        seed: of weights, rows and draws.

    Raises:
        TrainingError: no day whose order's arrival is known, or values that no plain network holds.
    """
    content = {
        "algorithm": candidate.algorithm,
        "seeds": (seed,),
        "n_updates": settings.n_updates,
        "batch_size": settings.batch_size,
        "hidden_units": settings.hidden_units,
        "learning_rate": settings.learning_rate,
        "n_checkpoints": settings.n_checkpoints,
        **_OWN[candidate.algorithm],
    }
    seeded = SeededCandidate(policy.name, Candidate.model_validate(content), seed)
    rows = value_rows(policy, basis, span, candidate, n_copies=settings.n_copies, seed=seed)
    training = TrainingSettings(
        discount=DiscountFunction.of(DiscountRate(gamma=DISCOUNT)), n_threads=settings.n_threads
    )
    for kept in train_candidate(seeded, rows, None, training).kept:
        if not isinstance(kept.network, DenseNetwork):
            raise TrainingError(
                f"{policy.name}: values are in a {type(kept.network).__name__}, which orders can't hold"
            )
        yield kept.update, kept.network


def value_rows(
    policy: OrderPolicy,
    basis: OrderBasis,
    span: OrderSpan,
    candidate: OrderCandidate,
    *,
    n_copies: int,
    seed: int,
) -> LoggedEpisodes:
    """Return the span's days as decisions, each an episode cut by time after one step.

    Rewards are in what a usual day of the product sells for, so that all products teach alike.

    Raises:
        TrainingError: no day whose order's arrival is known.
    """
    days = _Days(policy, basis, span, seed)
    if candidate.rows == "as_logged":
        found = [days.as_logged()]
    else:
        generator = np.random.default_rng([_ROWS_STREAM, seed])
        found = [days.relabelled(generator.integers(len(OFFSETS), size=days.n)) for _ in range(n_copies)]
    features, following, action, reward = (np.concatenate(column) for column in zip(*found, strict=True))
    reward = reward - reward.mean()  # what no order moves
    return decision_rows(features, following, action, reward, np.ones(len(action), dtype=bool), len(OFFSETS))


_Rows = tuple[FeatureArray, FeatureArray, IntArray, FloatArray]


class _Days:
    """Days of a span whose orders arrive within it, every day in between known; one row each."""

    def __init__(self, policy: OrderPolicy, basis: OrderBasis, span: OrderSpan, seed: int) -> None:
        self._lead = policy.costs.lead_time
        known = np.cumsum(np.pad(span.is_known, ((0, 0), (1, 0))), axis=1)
        length = self._lead + 1
        self._product, self._day = np.nonzero(known[:, length:] - known[:, :-length] == length)
        if not len(self._product):
            raise TrainingError(f"{policy.name}: no product has {length} known training days in a row; build more")
        self._policy, self._span = policy, span
        self._demand = basis.demand(span, seed)
        history = span.history
        self._orders = self._bound(policy)
        whole = np.maximum(span.forecasts[:, :, 0].mean(axis=1), _LEAST_SCALE)
        # What is sold at a loss has the size of the loss: its rewards are no larger than others'.
        brings = np.maximum(policy.costs.margins(history.products), np.abs(span.money.margin[:, 0]) / MILLIONTHS)
        self._usual = (whole * brings)[self._product]
        self._pipeline: IntArray = history.pipeline[:, span.days][self._product, self._day]

    @property
    def n(self) -> int:
        return len(self._product)

    def _bound(self, policy: OrderPolicy) -> ProductOrders:
        history = self._span.history
        names = tuple(history.products[row] for row in self._product.tolist())
        return policy.of(names, history.pack_size[self._product])

    def as_logged(self) -> _Rows:
        """Return the orders as they were, each as the nearest level, with what its own day earned."""
        span, money = self._span, self._span.money
        ordered = span.history.units["ordered"][:, span.days][self._product, self._day]
        sold = span.sold[self._product, self._day]
        left = np.maximum(self._pipeline[:, 0] - sold, 0)
        earned = span.margin[self._product, self._day] * sold - money.holding * left
        wished = (self._pipeline.sum(axis=1) + ordered)[:, None] - self._levels()
        action = np.argmin(np.abs(wished), axis=1).astype(np.int64)
        following: IntArray = span.history.pipeline[:, span.days][self._product, self._day + 1]
        return self._rows(action, ordered, earned, following)

    def relabelled(self, action: IntArray) -> _Rows:
        """Return the days with those levels instead, and what they lead to on the day of arrival."""
        span, money, lead = self._span, self._span.money, self._lead
        position = self._pipeline.sum(axis=1)
        level = self._levels()[np.arange(self.n), action]
        wished = np.maximum(np.floor(level - position + 0.5), 0).astype(np.int64)
        order = self._orders.limits.nearest(wished, position)
        demand = np.stack([self._demand[self._product, self._day + ahead] for ahead in range(lead + 1)], axis=1)
        stock = self._pipeline[:, 0]
        for ahead in range(lead):
            stock = np.maximum(stock - demand[:, ahead], 0)
            stock = stock + (self._pipeline[:, ahead + 1] if ahead + 1 < lead else order)
        sold = np.minimum(stock, demand[:, lead])
        margin = span.margin[self._product, self._day + lead]
        following = np.column_stack([self._pipeline[:, 1:], order])
        following[:, 0] += np.maximum(self._pipeline[:, 0] - demand[:, 0], 0)
        return self._rows(action, order, margin * sold - money.holding * (stock - sold), following)

    def _rows(self, action: IntArray, order: IntArray, earned: IntArray, following: IntArray) -> _Rows:
        money = self._span.money
        reward = (earned - money.order_line * (order > 0) - money.order_unit * order) / MILLIONTHS / self._usual
        return self._seen(self._pipeline, 0), self._seen(following, 1), action, reward

    def _levels(self) -> FloatArray:
        """Return the level of each of OFFSETS, units, `(n, n_offsets)`."""
        rule = ForecastBaseStock(0.0, self._lead, self._policy.variance)
        forecasts, quantile = self._span.forecasts[self._product, self._day], self._orders.quantiles()
        return np.stack([rule.levels(forecasts, quantile + offset) for offset in OFFSETS], axis=1)

    def _seen(self, pipeline: IntArray, ahead: int) -> FeatureArray:
        forecasts = self._span.forecasts[self._product, self._day + ahead]
        scale = np.maximum(forecasts.mean(axis=1, keepdims=True), _LEAST_SCALE)
        quantile = self._orders.quantiles()[:, None]
        return network_inputs(pipeline / scale, forecasts / scale, scale, quantile).astype(np.float32)
