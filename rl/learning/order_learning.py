"""Learning from logged orders: a candidate is trained as any other, and its checkpoint chosen by a replay of demand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import IntArray, LoggedEpisodes
from rl.inventory.order_decisions import OrderHead, ValuePolicy
from rl.inventory.replay import replayed
from rl.inventory.stock import StockRules
from rl.learning.candidates import SeededCandidate
from rl.learning.training import TrainingSettings, train_candidate


@dataclass(frozen=True)
class LearnedOrders:
    """What training gives.

    Attributes:
        policy: the checkpoint of least cost on the validation demand.
        update: that it was kept after.
        validation_costs: per product and day, of each checkpoint, in money.
    """

    policy: ValuePolicy
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
    policies = [ValuePolicy(kept.network, head) for kept in trained.kept]
    costs = [float(replayed(policy, validation_demand, rules).cost(rules).mean()) for policy in policies]
    best = int(np.argmin(costs))
    return LearnedOrders(policies[best], trained.kept[best].update, tuple(costs))
