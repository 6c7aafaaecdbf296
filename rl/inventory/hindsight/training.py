"""Training in hindsight: the network orders, logged demand follows, and the cost's gradient comes back through stock.

Nothing is estimated of values: the rules of stock are known, and demand doesn't depend on orders. The network sees
only what is known when it orders. In training, orders are in parts of units, for whole ones have no gradient: since
demand is in whole units, expected cost runs straight between them, and nothing is lost by rounding in use.

Source: Madeka et al., Deep Inventory Management (2022, arXiv 2210.03137); Alvo, Russo and Kanoria, Neural Inventory
Control in Networks via Hindsight Differentiable Policy Optimization (2023, arXiv 2306.11246); the base-stock head as in
DeepStock (arXiv 2603.19621).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from rl.data.logged_episodes import FloatArray
from rl.errors import InventoryError
from rl.inventory.hindsight.demand_paths import DemandPaths
from rl.inventory.hindsight.shelf import Shelf
from rl.inventory.hindsight.target_network import HindsightPolicy, TargetNetwork
from rl.inventory.hindsight.windows import Window, Windows
from rl.inventory.replay import replayed
from rl.inventory.stock import StockRules


@dataclass(frozen=True)
class HindsightSettings:
    """How a network is trained; one setting for all products.

    Attributes:
        hidden_units: of each hidden layer.
        n_updates: gradient steps.
        batch_size: windows of days an update looks at.
        n_days: days of a window whose cost counts.
        n_warm_up: days before them, for stock to become the policy's own.
        learning_rate: at the start; it falls along a cosine to 0.
        average_rate: by which averaged weights follow; the average is what is kept.
        n_checkpoints: averaged networks that are judged on the validation days, evenly over the last half.
        updates_per_draw: updates between two draws of the days that ran out.
        n_threads: of the processor; layers are too small for a second one to help.
    """

    hidden_units: tuple[int, ...] = (32, 32)
    n_updates: int = 600
    batch_size: int = 256
    n_days: int = 24
    n_warm_up: int = 8
    learning_rate: float = 3e-3
    average_rate: float = 0.02
    n_checkpoints: int = 5
    updates_per_draw: int = 200
    n_threads: int = 1

    def __post_init__(self) -> None:
        counts = (self.n_updates, self.batch_size, self.n_days, self.n_checkpoints, self.updates_per_draw)
        if min(counts) < 1 or self.n_warm_up < 0 or not self.hidden_units:
            raise InventoryError(f"no network can be trained by {self}; expected counts of at least 1")


@dataclass(frozen=True)
class TrainedInHindsight:
    """What training gives.

    Attributes:
        policy: the checkpoint of least cost on the validation days.
        update: that it was kept after.
        validation_costs: per product and day, of each checkpoint, in money.
    """

    policy: HindsightPolicy
    update: int
    validation_costs: tuple[float, ...]


def train_in_hindsight(
    training: DemandPaths,
    validation: DemandPaths,
    rules: StockRules,
    *,
    level: float,
    settings: HindsightSettings,
    seed: int,
    judge: Callable[[HindsightPolicy], float] | None = None,
    line: FloatArray | None = None,
) -> TrainedInHindsight:
    """Train a network on the training days, and choose among its checkpoints by a replay of the validation days.

    Args:
        training: days to learn from; at least one window of them.
        validation: later days.
        rules: lead time and costs.
        level: base-stock level that targets begin at, units.
        settings: how.
        seed: of weights, windows and draws; fixes every bit on one kind of machine.
        judge: what a checkpoint costs; None for a replay of the validation days. Needed where orders may come late.
        line: what targets begin at instead of the level (`TargetNetwork`), such as `forecast_line`.

    Raises:
        InventoryError: too few days, features that differ, or a cost that isn't finite.
    """
    length = settings.n_warm_up + settings.n_days
    if training.n_days < length:
        raise InventoryError(f"{training.n_days} days to learn from, a window has {length}; give more, or shorten it")
    if training.n_features != validation.n_features:
        raise InventoryError(f"{training.n_features} features in training, {validation.n_features} in validation")
    if judge is None and training.wait_shares is not None:
        raise InventoryError("checkpoints are judged by orders that come as promised, and these may not; give judge")
    torch.set_num_threads(settings.n_threads)
    torch.manual_seed(seed)
    n_inputs = rules.lead_time + training.n_features
    network = TargetNetwork(
        n_inputs, settings.hidden_units, level=level, scale=training.scale, n_forecasts=training.n_forecasts, line=line
    )
    averaged = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.n_updates)
    windows = Windows(
        training,
        rules.lead_time,
        n_rows=settings.batch_size,
        n_days=length,
        windows_per_draw=settings.updates_per_draw,
        generator=np.random.default_rng(seed),
    )
    keep_at = _keep_at(settings)
    kept: list[tuple[int, HindsightPolicy]] = []
    for update in range(1, settings.n_updates + 1):
        optimizer.zero_grad()
        cost = window_cost(network, rules, windows.next(), n_warm_up=settings.n_warm_up)
        if not torch.isfinite(cost):
            raise InventoryError(f"the cost isn't finite at update {update}; lower the learning rate")
        torch.autograd.backward(cost / (rules.holding_cost + rules.penalty) ** 0.5)
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        _follow(averaged, network, max(settings.average_rate, 1 / update))
        if update in keep_at:
            kept.append((update, averaged.policy()))
    demand = validation.drawn(np.random.default_rng([seed, 1]))
    costs = [
        judge(policy)
        if judge is not None
        else float(replayed(policy, demand, rules, features=validation.features).cost(rules).mean())
        for _, policy in kept
    ]
    best = int(np.argmin(costs))
    return TrainedInHindsight(kept[best][1], kept[best][0], tuple(costs))


def window_cost(network: TargetNetwork, rules: StockRules, window: Window, *, n_warm_up: int) -> torch.Tensor:
    """Return the mean cost per day of the window's rows, after their warm-up, by their weights."""
    shelf = Shelf(window.pipeline, window.waits)
    total = torch.zeros(())
    for day in range(len(window.demand)):
        seen = shelf.pipeline
        order = network(seen, None if window.features is None else window.features[day])
        difference = seen[:, 0] - window.demand[day]
        left_over = torch.relu(difference)
        if day >= n_warm_up:
            cost = rules.holding_cost * left_over + rules.penalty * torch.relu(-difference)
            total = total + (cost if window.weight is None else cost * window.weight).mean()
        shelf.after(order, left_over)
    return total / (len(window.demand) - n_warm_up)


def _follow(averaged: TargetNetwork, network: TargetNetwork, rate: float) -> None:
    with torch.no_grad():
        for own, other in zip(averaged.parameters(), network.parameters(), strict=True):
            own.lerp_(other, rate)


def _keep_at(settings: HindsightSettings) -> set[int]:
    first = settings.n_updates // 2
    places = np.linspace(first, settings.n_updates, settings.n_checkpoints + 1)[1:]
    return {max(round(float(place)), 1) for place in places} | {settings.n_updates}
