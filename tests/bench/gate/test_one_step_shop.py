"""The one-step shop is worth what it says: its logs, weighted, agree with its exact gains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.bench.gate.one_step_lines import SOFT
from tests.bench.gate.one_step_shop import OneStepShop

SHOPS = {
    "plain": (OneStepShop(), 0.1),
    "worse": (OneStepShop(), -0.1),
    "equal": (OneStepShop(), 0.0),
    "rare losses": (OneStepShop(loss=SOFT), -0.1),
    "light tails": (OneStepShop(tail_index=0.2), 0.1),
    "copies": (OneStepShop(copied=0.1), 0.1),
}


@pytest.mark.parametrize("name", SHOPS)
def test_weighted_rewards_of_a_long_log_agree_with_the_exact_gain(name: str) -> None:
    """Within four standard errors over 300,000 shoppers, as losses come once in some hundred of them."""
    shop, gain = SHOPS[name]
    policy = shop.candidate(gain)
    assert shop.gain(policy) == pytest.approx(gain, abs=1e-9)
    log = shop.log(300_000, 7, is_test=True)
    ratio = policy.table[log.mask_index, log.action] / log.propensity
    parts = (ratio - 1) * log.reward
    error = parts.std() / np.sqrt(len(parts))
    assert abs(parts.mean() - gain * shop.value(shop.behavior)) < 4 * error


def test_a_usually_better_candidate_is_worse_for_its_rare_losses() -> None:
    """A fifth better on what is usually seen, a tenth worse in truth; a log holds the losses as often as it says."""
    shop = OneStepShop(loss=SOFT)
    policy = shop.usually_better
    usual = replace(shop, loss=replace(SOFT, points=0.0))
    assert (policy.table * usual._usual_reward).sum() / (shop.behavior.table * usual._usual_reward).sum() == (
        pytest.approx(1.2)
    )
    seen = np.mean([(shop.log(shop.n, seed, is_test=True).reward < -SOFT.points / 2).sum() for seed in range(200)])
    assert seen == pytest.approx(SOFT.expected, abs=4 * np.sqrt(SOFT.expected / 200))
