"""What candidates gain decision by decision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conf.specs.candidate import Candidate
from rl.data.discount_function import DiscountFunction
from rl.night.single_decisions import SingleDecisions
from rl.policy import StochasticPolicy
from rl.policy.resemblance_network import ResemblanceNetwork
from tests.rl.factories import make_pipeline
from tests.rl.learning.closed_form.test_resemblance_regression import log, trained
from tests.rl.policy.policies import make_policy
from tests.rl.policy.resemblances import KEYS, encoder


def policy(network: ResemblanceNetwork, temperature: float = 0.01) -> StochasticPolicy:
    return make_policy(
        *KEYS, encoder=encoder(), network=network, temperature=temperature, exploration_floor=0.0, output_scale=1.0
    )


def test_a_look_ahead_is_told_from_the_next_reward_on_episodes_of_others() -> None:
    """The log chooses alike among four: 1 in a quarter, 2 later in the others, 1.75 on average at the first step.

    Whoever looks ahead gets 2 there and whoever repeats 1; at the second step all choices bring the same. Over both
    steps that is an eighth more and three eighths less a decision, each within .05.
    """
    judge = SingleDecisions(log(2000, seed=7), DiscountFunction(1.0))
    ahead, myopic = trained(1.0), trained(0.0)
    found = judge.gains({"ahead": policy(ahead), "myopic": policy(myopic), "all": policy(ahead, 1e6)})
    assert found["ahead"].gain == pytest.approx(1 / 8, abs=0.05)
    assert found["myopic"].gain == pytest.approx(-3 / 8, abs=0.05)
    assert found["all"].gain == pytest.approx(0, abs=0.03)
    assert found["ahead"].cautious > 0 > found["myopic"].cautious


def test_its_error_is_that_of_shoppers() -> None:
    """Every episode told twice, by the same shopper: the gain's error doesn't shrink."""
    once = log(400, seed=7)
    judge = SingleDecisions(once, DiscountFunction(1.0))
    paired = replace(once, unit=np.arange(400) // 2)
    judged = {"x": policy(trained(1.0))}
    alone, together = (one.gains(judged)["x"] for one in (judge, replace(judge, validation=paired)))
    assert alone.gain == pytest.approx(together.gain)
    assert 0 < alone.error < 2 * together.error


def test_only_scenarios_that_learn_by_resemblance_have_a_judge() -> None:
    """Others select as before."""
    scenario = make_pipeline().scenario
    assert SingleDecisions.of(scenario, log(10)) is None
    like = Candidate.model_validate(
        {"algorithm": "resemblance", "seeds": [1], "n_updates": 1, "action_scores": "by_attributes"}
    )
    judge = SingleDecisions.of(scenario.model_copy(update={"candidates": (like,)}), log(10))
    assert judge is not None
    assert judge.discount.gamma == scenario.discount.gamma
