"""What candidates gain decision by decision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conf.specs.candidate import Candidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray
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
    steps that is an eighth more and three eighths less a decision, each within .08: a Q of half the episodes is shrunk.
    """
    judge = SingleDecisions(log(2000, seed=7), DiscountFunction(1.0))
    ahead, myopic = trained(1.0), trained(0.0)
    found = judge.gains({"ahead": policy(ahead), "myopic": policy(myopic), "all": policy(ahead, 1e6)})
    assert found["ahead"].gain == pytest.approx(1 / 8, abs=0.08)
    assert found["myopic"].gain == pytest.approx(-3 / 8, abs=0.08)
    assert found["all"].gain == pytest.approx(0, abs=0.03)
    assert found["ahead"].cautious > 0 > found["myopic"].cautious


def test_its_error_is_that_of_shoppers() -> None:
    """Every episode told twice, by the same shopper: the gain's error doesn't shrink.

    Shoppers fall into other halves then, so that the gains are within a standard error.
    """
    once = log(400, seed=7)
    judge = SingleDecisions(once, DiscountFunction(1.0))
    paired = replace(once, unit=np.arange(400) // 2)
    judged = {"x": policy(trained(1.0))}
    alone, together = (one.gains(judged)["x"] for one in (judge, replace(judge, validation=paired)))
    assert alone.gain == pytest.approx(together.gain, abs=alone.error)
    assert 0 < alone.error < 2 * together.error


def test_no_decision_is_judged_by_what_was_learned_from_it() -> None:
    """Of two shoppers one had no choice, so that the other's decisions alone are judged: by the first one's rewards."""
    told, unit = log(200, seed=7), np.arange(200) % 2
    sets = np.array([[True] * 4, *np.eye(4, dtype=np.bool_)])
    has_choice = np.repeat(unit == 0, 2)
    of_two = replace(
        told, unit=unit, availability=sets, mask_index=np.where(has_choice, 0, told.action + 1).astype(np.int64)
    )

    def gain(rewards: FloatArray) -> float:
        judge = SingleDecisions(replace(of_two, reward=rewards), DiscountFunction(1.0))
        return judge.gains({"x": policy(trained(0.0))})["x"].gain

    before = gain(told.reward)
    assert gain(np.where(has_choice, 3 * told.reward + 1, told.reward)) == before
    assert gain(np.where(has_choice, told.reward, 3 * told.reward)) == pytest.approx(3 * before, rel=1e-3)


def test_one_shopper_alone_has_no_judge() -> None:
    """No Q can be fitted without their own decisions."""
    like = Candidate.model_validate(
        {"algorithm": "resemblance", "seeds": [1], "n_updates": 1, "action_scores": "by_attributes"}
    )
    scenario = make_pipeline().scenario.model_copy(update={"candidates": (like,)})
    assert SingleDecisions.of(scenario, replace(log(10), unit=np.zeros(10, dtype=np.int64))) is None


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
