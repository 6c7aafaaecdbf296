"""The behavior policy: each week's plan sets a share of shoppers to write to, and recency tilts whom."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.shops.promotion.lockstep_weeks import Probabilities
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.visible_history import NEVER_SEEN, Columns

RECENCY_BOUNDS = (1, 4, 9)
MILLION = 1_000_000


def logging_policy(settings: PromotionSettings) -> Probabilities:
    """Return the behavior policy over the shop's actions; its probabilities are whole millionths, so logged exactly."""
    rule = settings.logging
    tilt = np.array(rule.tilt)
    mix = np.array(rule.mix) / sum(rule.mix)

    def probabilities(observation: Columns, mask: BoolArray) -> FloatArray:
        since = observation["weeks_since_order"]
        band = np.where(since == NEVER_SEEN, len(RECENCY_BOUNDS), np.searchsorted(RECENCY_BOUNDS, since))
        any_offer = np.clip(_shares(settings, observation["week"]) * tilt[band], rule.lowest, rule.highest)
        offers = np.round(any_offer[:, None] * mix * MILLION) * mask[:, 1:]
        return np.concatenate([MILLION - offers.sum(axis=1, keepdims=True), offers], axis=1) / MILLION

    return probabilities


def week_share(settings: PromotionSettings, week: int) -> float:
    """Return the share of shoppers that the plan of a week writes to; by date, so that a longer log has the same."""
    low, high = settings.logging.share_bounds
    ordinal = (settings.first_monday + timedelta(weeks=week)).toordinal()
    drawn = np.random.default_rng([settings.catalogue_seed, 22, ordinal]).random()
    return round(low + (high - low) * drawn, 6)


def _shares(settings: PromotionSettings, weeks: IntArray) -> FloatArray:
    asked, place = np.unique(weeks, return_inverse=True)
    return np.array([week_share(settings, week) for week in asked.tolist()])[place]
