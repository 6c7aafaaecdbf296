"""The randomisation test of an action's effect sees one that is there, and seldom one that isn't."""

from __future__ import annotations

import numpy as np

from rl.worth.responses import effect_score, find_future_effect, find_responses
from tests.rl.worth.worth_logs import make_log, predictions_of

N_LOGS = 60


def test_future_effect_is_seen_where_an_action_makes_shoppers_leave() -> None:
    """Leaving after one action nine times in ten is plain in 1,200 visits."""
    log = make_log(leaving=(0.1, 0.1, 0.9))
    found = find_future_effect(log, predictions_of(log), level=0.95, alpha=0.025)
    assert found.response.p_value < 1e-6


def test_tests_without_an_effect_reject_no_more_often_than_they_say() -> None:
    """Of 60 logs without any effect of actions on staying or the future, at most 6 reject either at .025 each.

    Two tests a log, .025 each: at most .05 a log, so Binomial(60, .05) exceeds 6 with probability .03; the correction
    for cross-fitting keeps the true rate well below that, and seeds are fixed.
    """
    rejected = 0
    for seed in range(N_LOGS):
        log = make_log(n_shoppers=60, seed=seed)
        predictions = predictions_of(log)
        rejected += min(effect_score(log, predictions, name).p_value for name in ("future", "continuation")) < 0.025
    assert rejected <= 6


def test_slope_is_about_one_where_the_prediction_holds() -> None:
    """Predicted effects on staying come true: the slope's interval holds 1, whose lower bound is well above 0."""
    log = make_log(leaving=(0.1, 0.1, 0.9))
    slope = effect_score(log, predictions_of(log), "continuation").slope(0.95)
    assert slope.lower is not None and slope.upper is not None
    assert 0.5 < slope.lower < 1.05 and slope.upper > 0.95


def test_responses_are_judged_at_a_level_shared_between_them() -> None:
    """Continuation alone is tried here, so it has the whole level; the future return isn't among them."""
    log = make_log(n_shoppers=60, leaving=(0.1, 0.1, 0.9))
    found = find_responses(log, predictions_of(log), level=0.95, alpha=0.025)
    assert [(one.name, one.is_moved) for one in found] == [("continuation", True)]


def test_score_has_mean_zero_under_the_logger_whatever_was_predicted() -> None:
    """Effects centered under the usual choice, weighted by it over the propensity, cancel over the logger's actions."""
    log = make_log(n_shoppers=60)
    predictions = predictions_of(log)
    effect = np.random.default_rng(0).normal(size=predictions.usual.shape)
    centered = effect - (predictions.usual * effect).sum(axis=1, keepdims=True)
    logger = np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose((logger * (predictions.usual / logger) * centered).sum(axis=1), 0, atol=1e-12)
