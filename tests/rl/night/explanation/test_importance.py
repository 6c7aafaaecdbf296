"""Importance of features over many decisions."""

from __future__ import annotations

import numpy as np
import pytest

from rl.night.explanation.attribution import attribute, mean_observation
from rl.night.explanation.importance import feature_importances
from tests.rl.night.explanation.planted import BLIND, READ, planted_decisions


def test_importances_rank_the_features_that_are_read_first() -> None:
    """The planted two come first and hold everything; the blind ones hold nothing."""
    policy, features, mask = planted_decisions(200)
    found = attribute(policy, features, mask, baseline=mean_observation(features))
    ranked = feature_importances(found, np.arange(200) // 2, level=0.95)
    assert {importance.feature for importance in ranked[:2]} == set(READ)
    assert sum(importance.share for importance in ranked[:2]) == pytest.approx(1)
    assert {importance.feature: importance.upper for importance in ranked[2:]} == dict.fromkeys(
        (importance.feature for importance in ranked[2:]), 0.0
    )
    assert len(ranked) == len(READ) + len(BLIND)


def test_importance_is_the_mean_size_with_an_interval_over_shoppers() -> None:
    """The figure is the plain mean; shoppers with many alike decisions widen its interval."""
    policy, features, mask = planted_decisions(120)
    features = np.repeat(features[:30], 4, axis=0)  # each shopper decides the same four times
    mask = np.repeat(mask[:30], 4, axis=0)
    found = attribute(policy, features, mask, baseline=mean_observation(features))
    by_shopper = feature_importances(found, np.repeat(np.arange(30), 4), level=0.95)[0]
    by_decision = feature_importances(found, np.arange(120), level=0.95)[0]
    place = found.features.index(by_shopper.feature)
    assert by_shopper.mean_absolute == pytest.approx(np.abs(found.values[:, place]).mean())
    assert by_shopper.upper - by_shopper.lower > 1.8 * (by_decision.upper - by_decision.lower)
