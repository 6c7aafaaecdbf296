"""What a pipeline's rows would show: late lines aren't seen yet, branches remember by themselves, nothing piles up."""

from __future__ import annotations

import numpy as np

from conf.specs.scenario import load_pipeline
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.fixed_policies import everybody_policy, nobody_policy
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import FeedDirt, PromotionSettings
from rl.shops.promotion.shop import build_shop
from rl.shops.promotion.watched_weeks import WatchedWeeks

PIPELINE = load_pipeline("promotion", "simulated_promotion")


def weeks_of(late_rate: float = 0.0, n_weeks: int = 6) -> WatchedWeeks:
    """Shoppers after some weeks under the behavior policy."""
    settings = PromotionSettings(n_weeks=30, n_shoppers=400, dirt=FeedDirt(late_rate=late_rate))
    running = WatchedWeeks.begin(build_shop(settings), Chance((1, 2, 3)), 0, settings.n_shoppers, PIPELINE)
    for _ in range(n_weeks):
        running.play_on_columns(logging_policy(settings))
    return running


def test_features_agree_with_the_shop_s_own_columns() -> None:
    """Where both say the same: offers, sent at the week's start, and the segment. Money of Monday morning isn't."""
    running = weeks_of()
    own, seen = running.weeks.observe(running.weeks.present()), running.observe()
    for days in (28, 91):
        assert np.array_equal(seen[f"n_offers_{days}d"], own[f"offers_{days}"])
    assert (seen["spend_91d"] <= own["spend_91"]).all()
    assert seen["spend_91d"].sum() > 0.95 * own["spend_91"].sum()
    assert np.array_equal(seen["shopper_segment"], own["segment"] + 1)


def test_the_register_isn_t_known_in_the_first_week() -> None:
    """It is delivered with the first decisions, and so seen from the day after them."""
    assert set(weeks_of(n_weeks=0).observe()["shopper_segment"].tolist()) == {-1}


def test_late_lines_of_the_last_day_are_not_seen_yet() -> None:
    """Half of Sunday's lines come with Monday's delivery and tell Monday's decision nothing; Saturday's all do."""
    punctual, late = (weeks_of(rate).observe()["days_since_visit_91d"] for rate in (0.0, 0.5))
    assert (late >= punctual).all()
    assert 0 < (late == 1).sum() < 0.85 * (punctual == 1).sum()
    assert (late[punctual > 1] == punctual[punctual > 1]).all()


def test_branches_remember_by_themselves() -> None:
    """An offer to everybody in one branch isn't seen in the other, nor in the weeks that both left."""
    running = weeks_of()
    before = running.observe()
    one, other = running.branched(), running.branched()
    one.play_on_columns(everybody_policy(1))
    other.play_on_columns(nobody_policy())
    assert (one.observe()["n_offers_7d"].mean(), other.observe()["n_offers_7d"].max()) > (0.9, 0)
    after = running.observe()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert running.weeks.week == one.weeks.week - 1


def test_only_weeks_that_features_reach_are_kept() -> None:
    """Ninety-one days and one week for what came late."""
    running = weeks_of(n_weeks=20)
    assert running.memory is not None
    assert len(running.memory.events) == 14


def test_a_policy_sees_the_features_of_the_rows() -> None:
    """It is asked with the scenario's columns, a row for each shopper who is there, and their masks."""
    running = weeks_of()
    names = {feature.name for feature in PIPELINE.scenario.observation.features}

    def asked(observation: dict[str, np.ndarray], mask: np.ndarray) -> np.ndarray:
        assert observation.keys() == names
        assert {len(values) for values in observation.values()} == {len(mask)}
        return mask / mask.sum(axis=1, keepdims=True)

    n_present = len(running.weeks.present())
    assert len(running.play(asked).row) == n_present
