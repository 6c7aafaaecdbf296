"""Learners of values on logged orders: they learn what can be learned in seconds, and the replay chooses."""

from __future__ import annotations

import numpy as np
import pytest

from conf.specs.candidate import Candidate
from rl.data.discount_function import DiscountFunction
from rl.inventory.order_decisions import OrderHead, relabelled
from rl.learning.candidates import SeededCandidate
from rl.learning.order_learning import LearnedOrders, learn_orders
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
