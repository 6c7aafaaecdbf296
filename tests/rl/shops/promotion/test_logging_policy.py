"""The behavior policy writes to a weekly share, logs exact probabilities, and never leaves an offer out."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from rl.shops.promotion.chance import Chance
from rl.shops.promotion.lockstep_weeks import LockstepWeeks
from rl.shops.promotion.logging_policy import logging_policy, week_share
from rl.shops.promotion.promotion_settings import LoggingRule, PromotionSettings
from rl.shops.promotion.shop import build_shop

SETTINGS = PromotionSettings()


def observation(since: list[int], week: int = 3) -> dict[str, np.ndarray]:
    return {"weeks_since_order": np.array(since), "week": np.full(len(since), week)}


def test_probabilities_are_whole_millionths_above_a_floor() -> None:
    """Every offer has its chance, and each probability is a decimal of six places, so that the log holds it exactly."""
    mask = np.ones((6, 5), dtype=bool)
    chances = logging_policy(SETTINGS)(observation([-1, 0, 1, 2, 6, 30]), mask)
    assert chances[:, 1:].min() > 0.15 / 4 * 0.8
    for row in chances.tolist():
        assert sum(Decimal(repr(value)) for value in row) == 1
        assert all(round(value, 6) == value for value in row)


def test_blocked_shoppers_get_nothing_surely() -> None:
    """Where the mask allows nothing but none, its probability is 1."""
    mask = np.array([[True, False, False, False, False]])
    np.testing.assert_array_equal(logging_policy(SETTINGS)(observation([2]), mask), [[1, 0, 0, 0, 0]])


def test_recency_tilts_the_share() -> None:
    """Those who bought lately get fewer offers than those who haven't for weeks."""
    mask = np.ones((4, 5), dtype=bool)
    any_offer = 1 - logging_policy(SETTINGS)(observation([0, 3, 7, -1]), mask)[:, 0]
    assert any_offer[0] < any_offer[3] < any_offer[1] < any_offer[2]


def test_shares_of_weeks_differ_and_belong_to_their_dates() -> None:
    """Plans differ from week to week within their bounds; a shop that starts later has the same plan on a date."""
    shares = [week_share(SETTINGS, week) for week in range(20)]
    low, high = SETTINGS.logging.share_bounds
    assert low <= min(shares) < max(shares) <= high
    assert max(shares) - min(shares) > 0.15
    later = PromotionSettings(first_monday=SETTINGS.first_monday.replace(day=8))
    assert [week_share(later, week) for week in range(19)] == shares[1:]


def test_log_shows_the_shares() -> None:
    """Offers are sent as often as the propensities say, within four standard deviations."""
    weeks = LockstepWeeks(build_shop(SETTINGS), Chance((1,)), 0, 4000)
    behavior = logging_policy(SETTINGS)
    for _ in range(4):
        rows = weeks.present()
        chances = behavior(weeks.observe(rows), weeks.mask(rows))
        one = weeks.play(behavior)
        for action in range(5):
            mean, variance = chances[:, action].sum(), (chances[:, action] * (1 - chances[:, action])).sum()
            assert abs((one.action == action).sum() - mean) < 4 * np.sqrt(variance)
        np.testing.assert_array_equal(one.propensity, chances[np.arange(len(rows)), one.action])


@pytest.mark.parametrize("change", [{"mix": (1.0, 0.0, 1.0, 1.0)}, {"share_bounds": (0.6, 0.3)}, {"lowest": 0.9}])
def test_rules_without_support_are_refused(change: dict[str, object]) -> None:
    """An offer that is never sent, or bounds out of order, can't be a rule."""
    with pytest.raises(ValueError, match=r"expected every offer|in order"):
        LoggingRule(**change)
