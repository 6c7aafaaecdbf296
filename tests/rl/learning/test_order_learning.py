"""Learners of values on logged orders: they learn what can be learned in seconds, and the replay chooses."""

from __future__ import annotations

import numpy as np
import pytest

from conf.specs.candidate import Candidate, ContinuousCandidate
from rl.data.discount_function import DiscountFunction
from rl.errors import TrainingError
from rl.inventory.order_decisions import ActorPolicy, OrderHead, relabelled
from rl.learning.candidates import SeededCandidate
from rl.learning.order_learning import LearnedOrders, learn_continuous_orders, learn_orders
from rl.shops.inventory.logged_orders import buyer_of, simulate_orders
from rl.shops.inventory.test_bed import Cell

CELL = Cell(9, 1)
HEAD = OrderHead("target", 5, 13, 5.0)


@pytest.fixture(scope="module")
def learned() -> LearnedOrders:
    log, demand = simulate_orders(CELL, buyer_of(CELL), n_periods=12_000, seed=1)
    candidate = Candidate.model_validate(
        {
            "algorithm": "double_dqn",
            "seeds": (1,),
            "n_updates": 2500,
            "batch_size": 128,
            "hidden_units": (32, 32),
            "learning_rate": 3e-3,
            "n_checkpoints": 4,
            "target_update_interval": 50,
        }
    )
    training = relabelled(log.rows(0, 10_000), CELL.rules, HEAD, n_copies=3, generator=np.random.default_rng(0))
    return learn_orders(
        SeededCandidate("double_dqn-1", candidate, 1),
        training,
        demand[10_000:].reshape(20, 100),
        CELL.rules,
        head=HEAD,
        discount=DiscountFunction(0.9),
    )


def test_relabelled_orders_teach_more_than_the_log_did(learned: LearnedOrders) -> None:
    """The log's own buyer costs 27% more than the optimum: its level is drawn anew each day, some orders are odd."""
    assert CELL.percent_above(learned.policy) < 15


def test_the_checkpoint_of_least_validation_cost_is_kept(learned: LearnedOrders) -> None:
    assert len(learned.validation_costs) == 4
    assert learned.update == (1 + int(np.argmin(learned.validation_costs))) * 625


def _actor(algorithm: str, n_updates: int, **values: object) -> LearnedOrders:
    log, demand = simulate_orders(CELL, buyer_of(CELL), n_periods=6000, seed=1)
    own = {"seeds": (1,), "n_updates": n_updates, "batch_size": 128, "hidden_units": (32, 32), "n_checkpoints": 4}
    candidate = ContinuousCandidate.model_validate({"algorithm": algorithm, "learning_rate": 3e-3, **own, **values})
    training = relabelled(
        log.rows(0, 5000), CELL.rules, HEAD, n_copies=3, generator=np.random.default_rng(0), demand=demand[:5000]
    )
    return learn_continuous_orders(
        candidate,
        1,
        training,
        demand[5000:].reshape(10, 100),
        CELL.rules,
        head=HEAD,
        discount=DiscountFunction(0.9),
    )


def test_an_actor_learns_target_levels() -> None:
    """Evenly drawn levels cost 40% more than the optimum; a short training is told from them easily."""
    found = _actor("iql", 600, expectile=0.9, inverse_temperature=10.0)
    assert isinstance(found.policy, ActorPolicy)
    assert CELL.percent_above(found.policy) < 15
    assert found.update == (1 + int(np.argmin(found.validation_costs))) * 150


@pytest.mark.parametrize("algorithm", ["cql", "td3_plus_bc", "awac"])
def test_every_actor_is_trained_and_fixed_by_its_seed(algorithm: str) -> None:
    first, again = (_actor(algorithm, 8) for _ in "12")
    assert first.validation_costs == again.validation_costs
    assert len(first.validation_costs) == 4


def test_actors_discount_per_step() -> None:
    log, demand = simulate_orders(CELL, buyer_of(CELL), n_periods=100, seed=1)
    training = relabelled(log, CELL.rules, HEAD, n_copies=1, generator=np.random.default_rng(0))
    candidate = ContinuousCandidate.model_validate({"algorithm": "iql", "seeds": (1,), "n_updates": 1})
    with pytest.raises(TrainingError, match="discount per step"):
        learn_continuous_orders(
            candidate, 1, training, demand[None], CELL.rules, head=HEAD, discount=DiscountFunction(0.9, "day")
        )
