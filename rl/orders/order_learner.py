"""A network that is led through the training days of many products, each with its own margin; gradients pass the stock.

As in `rl.inventory.hindsight.training`, whose network this trains: orders are in parts of units, and days that ran out
are drawn anew now and then. What differs is the cost, which is each product's own, that days may be missing, and that
orders may be placed on some weekdays alone: on the others stock is sold and held, and the gradient passes through.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rl.data.logged_episodes import BoolArray, IntArray
from rl.errors import TrainingError
from rl.inventory.hindsight.target_network import TargetNetwork
from rl.inventory.order_days import covered_days
from rl.inventory.order_policy import OrderPolicy
from rl.orders.order_basis import OrderBasis
from rl.orders.order_replay import OrderSpan
from rl.policy.network import DenseNetwork

_LEAST_SCALE = 0.05
_DAYS_PER_WEEK = 7


@dataclass(frozen=True)
class LearnerSettings:
    """How a network is trained.

    Attributes:
        hidden_units: of each hidden layer.
        n_updates: gradient steps.
        batch_size: windows of days that an update looks at.
        n_days: days of a window whose cost counts.
        n_warm_up: days before them, for stock to become the policy's own; where orders aren't placed every day, a week
            and the days that an order takes, so that what counts are whole weeks of arrivals.
        learning_rate: at the start; it falls along a cosine to 0.
        average_rate: by which averaged weights follow; the average is what is kept.
        n_checkpoints: averaged networks that validation days choose from, evenly over the last half.
        updates_per_draw: updates between two draws of the days that ran out.
        n_threads: of the processor.
    """

    hidden_units: tuple[int, ...] = (32, 32)
    n_updates: int = 600
    batch_size: int = 256
    n_days: int = 21
    n_warm_up: int = 7
    learning_rate: float = 3e-3
    average_rate: float = 0.02
    n_checkpoints: int = 4
    updates_per_draw: int = 100
    n_threads: int = 1


def learn_levels(
    policy: OrderPolicy, basis: OrderBasis, span: OrderSpan, *, settings: LearnerSettings, seed: int
) -> Iterator[tuple[int, DenseNetwork]]:
    """Yield the averaged network after some updates, the last among them.

    Args:
        policy: whose costs and quantiles the network learns for.
        basis: draws the demand of days that ran out.
        span: days to learn from.
        settings: how.
        seed: of weights, windows and draws; fixes every bit on one kind of machine.

    Raises:
        TrainingError: no product has a whole window of known days, or a cost that isn't finite.
    """
    torch.set_num_threads(settings.n_threads)
    torch.manual_seed(seed)
    windows = _Windows(policy, basis, span, settings, seed)
    lead_time = policy.costs.lead_time
    n_forecasts = policy.n_forecasts
    network = TargetNetwork(
        lead_time + n_forecasts + 2,
        settings.hidden_units,
        level=windows.usual_level,
        scale=1.0,
        n_forecasts=n_forecasts,
    )
    averaged = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.n_updates)
    first = settings.n_updates // 2
    places = np.linspace(first, settings.n_updates, settings.n_checkpoints + 1)[1:]
    keep_at = {max(round(float(place)), 1) for place in places}
    for update in range(1, settings.n_updates + 1):
        optimizer.zero_grad()
        cost = windows.cost(network)
        if not torch.isfinite(cost):
            raise TrainingError(f"{policy.name}: the cost is {float(cost.detach())} at update {update}")
        cost.backward()  # type: ignore[no-untyped-call]  # torch's
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for own, other in zip(averaged.parameters(), network.parameters(), strict=True):
                own.lerp_(other, max(settings.average_rate, 1 / update))
        if update in keep_at:
            yield update, averaged.policy().network


class _Windows:
    """Draws windows of successive known days, and what an order policy costs on them."""

    def __init__(
        self, policy: OrderPolicy, basis: OrderBasis, span: OrderSpan, settings: LearnerSettings, seed: int
    ) -> None:
        self._basis, self._span, self._settings = basis, span, settings
        self._holding, self._lead_time = policy.costs.holding_cost, policy.costs.lead_time
        self._generator = np.random.default_rng([seed, 73])
        self._seed, self._n_drawn = seed, 0
        self._gaps, self._is_daily = span.gaps, policy.order_days.is_daily
        self._n_warm_up = settings.n_warm_up if self._is_daily else _DAYS_PER_WEEK + self._lead_time
        self._length = length = self._n_warm_up + settings.n_days
        known = np.cumsum(np.pad(span.is_known, ((0, 0), (1, 0))), axis=1)
        is_whole: BoolArray = known[:, length:] - known[:, :-length] == length
        # All windows begin on the same day of orders: what counts ends as the next one's would arrive.
        begins = span.history.weekday[span.days][: is_whole.shape[1]] == policy.weekdays[0]
        self._product, self._start = np.nonzero(is_whole if self._is_daily else is_whole & begins)
        if not len(self._product):
            raise TrainingError(f"{policy.name}: no product has {length} known training days in a row; build more")
        products = span.history.products
        bound = policy.of(products, span.history.pack_size)
        self._margin = bound.margin
        forecasts = covered_days(span.forecasts, self._lead_time, np.broadcast_to(self._gaps, span.shape))
        scale = np.maximum(forecasts.mean(axis=2, keepdims=True), _LEAST_SCALE)
        own = np.stack([bound.quantiles(int(max(gap, 1))) for gap in self._gaps], axis=1)[:, :, None]
        self._features = np.concatenate([forecasts, np.log(scale), own], axis=2).astype(np.float32)
        spread = np.sqrt((policy.variance[0] * forecasts + policy.variance[1] * forecasts**2).sum(axis=2))
        level = (forecasts.sum(axis=2) + own[:, :, 0] * spread) / scale[:, :, 0]
        self.usual_level = float(np.median(level[span.is_known & (self._gaps > 0)]))
        self._forecasts = span.forecasts.astype(np.float32)
        self._demand: IntArray = np.zeros((0, 0), dtype=np.int64)

    def cost(self, network: TargetNetwork) -> torch.Tensor:
        """Return the mean cost per product and day of a batch of windows, in the usual margin of a day."""
        settings, generator = self._settings, self._generator
        if self._n_drawn % settings.updates_per_draw == 0:
            self._demand = self._basis.demand(self._span, 1_000_000 * (self._seed + 1) + self._n_drawn)
        self._n_drawn += 1
        chosen = generator.integers(len(self._product), size=settings.batch_size)
        products, starts = self._product[chosen], self._start[chosen]
        days = starts[None, :] + np.arange(self._length)[:, None]
        features = torch.from_numpy(self._features[products[None, :], days])
        demand = torch.from_numpy(self._demand[products[None, :], days].astype(np.float32))
        margin = torch.from_numpy(self._margin[products].astype(np.float32))
        usual = self._forecasts[products, starts].mean(axis=1, keepdims=True)
        drawn = generator.integers(0, 4, size=(settings.batch_size, self._lead_time)) * usual
        pipeline = torch.from_numpy(np.round(drawn).astype(np.float32))
        is_placed = torch.from_numpy((self._gaps[days] > 0).astype(np.float32))
        total = torch.zeros(())
        for day in range(len(demand)):
            order = network(pipeline, features[day])
            if not self._is_daily:
                order = order * is_placed[day]
            left = pipeline[:, 0] - demand[day]
            left_over = torch.relu(left)
            if day >= self._n_warm_up:
                total = total + (self._holding * left_over + margin * torch.relu(-left)).mean()
            arriving = pipeline[:, 1:2] if self._lead_time > 1 else order[:, None]
            rest = [pipeline[:, 2:], order[:, None]] if self._lead_time > 1 else []
            pipeline = torch.cat([left_over[:, None] + arriving, *rest], dim=1)
        return total / (settings.n_days * float(self._margin.mean()))
