"""Learning from logged orders: a candidate is trained as any other, and its checkpoint chosen by a replay of demand.

Actors order in parts of a whole range of units, and are rounded to whole ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import numpy as np
import torch
from d3rlpy.torch_utility import TorchMiniBatch

from conf.specs.candidate import ContinuousCandidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.errors import TrainingError
from rl.inventory.order_decisions import ActorPolicy, OrderHead, ValuePolicy
from rl.inventory.replay import replayed
from rl.inventory.stock import StockRules
from rl.learning.algorithms.dense_export import dense_network
from rl.learning.candidates import SeededCandidate
from rl.learning.learner import make_learner
from rl.learning.networks.masked_networks import dense_layers
from rl.learning.replay.row_order import ShuffledRows
from rl.learning.training import TrainingSettings, train_candidate
from rl.policy.network import DenseNetwork


@dataclass(frozen=True)
class LearnedOrders:
    """What training gives.

    Attributes:
        policy: the checkpoint of least cost on the validation demand.
        update: that it was kept after.
        validation_costs: per product and day, of each checkpoint, in money.
    """

    policy: ValuePolicy | ActorPolicy
    update: int
    validation_costs: tuple[float, ...]


def learn_orders(
    seeded: SeededCandidate,
    training: LoggedEpisodes,
    validation_demand: IntArray,
    rules: StockRules,
    *,
    head: OrderHead,
    discount: DiscountFunction,
) -> LearnedOrders:
    """Train the candidate and return the best of its checkpoints.

    Args:
        seeded: the candidate; it should keep some networks, since values swing from one to the next.
        training: logged or relabelled decisions.
        validation_demand: of later days, units, `(n_products, n_days)`.
        rules: lead time and costs.
        head: what actions are, as in the training data.
        discount: of later rewards.
    """
    trained = train_candidate(seeded, training, None, TrainingSettings(discount=discount))
    kept = [(one.update, ValuePolicy(one.network, head)) for one in trained.kept]
    return _cheapest(kept, validation_demand, rules)


def learn_continuous_orders(
    candidate: ContinuousCandidate,
    seed: int,
    training: LoggedEpisodes,
    validation_demand: IntArray,
    rules: StockRules,
    *,
    head: OrderHead,
    discount: DiscountFunction,
) -> LearnedOrders:
    """Train an actor on the same rows, whose actions become numbers from -1 to 1; return its best checkpoint.

    Args:
        candidate: the algorithm; it should keep some networks.
        seed: of weights and of the order of rows.
        training: logged or relabelled decisions, each cut by time or followed by the next.
        validation_demand: of later days, units, `(n_products, n_days)`.
        rules: lead time and costs.
        head: what actions are, as in the training data.
        discount: of later rewards, per step.

    Raises:
        TrainingError: a discount per day, or weights that aren't finite.
    """
    if discount.per != "step":
        raise TrainingError("actors on orders discount per step; give the discount per step")
    rows = ActorRows(
        features=training.features,
        following=training.next_features,
        action=2.0 * training.action / (head.n_actions - 1) - 1,
        reward=training.reward,
        terminal=training.terminal,
    )
    kept: list[tuple[int, ValuePolicy | ActorPolicy]] = [
        (update, ActorPolicy(network, head))
        for update, network in train_actor(candidate, seed, rows, gamma=discount.gamma)
    ]
    return _cheapest(kept, validation_demand, rules)


@dataclass(frozen=True)
class ActorRows:
    """Decisions with one continuous action each.

    Attributes:
        features: seen at each decision, `(n, n_features)`.
        following: seen at the next one, of the same shape.
        action: from -1 to 1, `(n,)`.
        reward: money, `(n,)`; trained on in its own standard deviations.
        terminal: nothing follows, `(n,)`.
    """

    features: FeatureArray
    following: FeatureArray
    action: FloatArray
    reward: FloatArray
    terminal: BoolArray


def train_actor(
    candidate: ContinuousCandidate, seed: int, rows: ActorRows, *, gamma: float, n_threads: int = 1
) -> Iterator[tuple[int, DenseNetwork]]:
    """Yield the actor's network after some updates, the last among them.

    The hyperbolic tangent of its one output is the action; of a Gaussian policy it is the mean.

    Args:
        candidate: the algorithm, and how many networks it keeps.
        seed: of weights and of the order of rows.
        rows: to learn from.
        gamma: discount of later rewards, per step.
        n_threads: of the processor.

    Raises:
        TrainingError: weights that aren't finite.
    """
    torch.set_num_threads(n_threads)
    torch.manual_seed(seed)
    learner = make_learner(candidate, observation_shape=((rows.features.shape[1],),), action_size=1, gamma=gamma)
    batches = _ContinuousBatches(rows, candidate.batch_size, seed)
    keep_at = {round(candidate.n_updates * (k + 1) / candidate.n_checkpoints) for k in range(candidate.n_checkpoints)}
    for update in range(1, candidate.n_updates + 1):
        learner.update(batches.next())
        if update in keep_at:
            yield update, _actor_network(learner.algorithm, update)


class _ContinuousBatches:
    """Batches of decisions with actions from -1 to 1, every row once in each round."""

    def __init__(self, rows: ActorRows, batch_size: int, seed: int) -> None:
        spread = float(rows.reward.std())
        reward = rows.reward / (spread if spread > 1e-9 else 1.0)
        self._features, self._following = (
            torch.from_numpy(np.ascontiguousarray(one)) for one in (rows.features, rows.following)
        )
        columns = (rows.action, reward, rows.terminal)
        self._columns = [torch.from_numpy(column.astype(np.float32)[:, None]) for column in columns]
        self._order = ShuffledRows(len(reward), batch_size, seed)

    def next(self) -> TorchMiniBatch:
        rows = torch.from_numpy(self._order.next())
        action, reward, terminal = (column.index_select(0, rows) for column in self._columns)
        nothing = torch.zeros_like(reward)
        return TorchMiniBatch(
            observations=[self._features.index_select(0, rows)],
            actions=action,
            rewards=reward,
            next_observations=[self._following.index_select(0, rows)],
            next_actions=nothing,
            returns_to_go=nothing,
            terminals=terminal,
            intervals=torch.ones_like(reward),
            device="cpu",
        )


def _actor_network(algorithm: Any, update: int) -> DenseNetwork:
    """Return the policy's network as it stands: of a Gaussian, that of its mean."""
    policy = algorithm.impl.modules.policy
    last = policy._mu if hasattr(policy, "_mu") else policy._fc
    network = dense_network(dense_layers(policy._encoder, last))
    if not all(np.isfinite(array).all() for array in (*network.weights, *network.biases)):
        raise TrainingError(f"weights aren't finite at update {update}; lower the learning rate")
    return network


def _cheapest(
    kept: Sequence[tuple[int, ValuePolicy | ActorPolicy]], validation_demand: IntArray, rules: StockRules
) -> LearnedOrders:
    costs = [float(replayed(policy, validation_demand, rules).cost(rules).mean()) for _, policy in kept]
    best = int(np.argmin(costs))
    return LearnedOrders(kept[best][1], kept[best][0], tuple(costs))
