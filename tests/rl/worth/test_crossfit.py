"""Cross-fitted predictions rest on other shoppers, and returns look past a cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.worth.crossfit import crossfit, returns_to_go
from tests.rl.factories import make_logged_episodes
from tests.rl.worth.worth_logs import DISCOUNT, REWARDS, make_log, predictions_of


def test_predictions_of_a_shopper_ignore_that_shoppers_own_rewards() -> None:
    """A shopper's rewards multiplied by a hundred change no prediction of theirs."""
    log = make_log(n_shoppers=60)
    own = log.unit[log.episode] == 7
    other = replace(log, reward=np.where(own, 100 * log.reward, log.reward))
    before, after = predictions_of(log), predictions_of(other)
    np.testing.assert_array_equal(before.reward[own], after.reward[own])
    np.testing.assert_array_equal(before.future[own], after.future[own])


def test_predicted_rewards_come_near_the_true_ones() -> None:
    """Mean predicted reward of each action lies within .05 of its chance; 1,200 visits leave about .02."""
    found = predictions_of(make_log()).reward.mean(axis=0)
    np.testing.assert_allclose(found, REWARDS, atol=0.05)


def test_predicted_future_falls_with_the_chance_to_leave() -> None:
    """An action after which nearly everyone leaves is predicted to leave the least behind."""
    found = predictions_of(make_log(leaving=(0.1, 0.1, 0.9))).future.mean(axis=0)
    assert found[2] < found[:2].min() - 0.3


def test_returns_to_go_take_what_a_cut_took_off_from_the_prediction() -> None:
    """By hand, with discount .9: a terminal episode of rewards 1, 1, and one of 1 cut where 10 is predicted."""
    log = make_logged_episodes([2, 1], terminal=np.array([False, True, False]), timeout=np.array([False, False, True]))
    np.testing.assert_allclose(returns_to_go(log, DISCOUNT, np.full(3, 10.0)), [1.9, 1.0, 10.0])


def test_crossfit_refuses_fewer_shoppers_than_folds() -> None:
    """Twelve shoppers are the least that can be dealt into four folds of three."""
    with pytest.raises(EvaluationError, match="11 shoppers"):
        crossfit(make_log(n_shoppers=11), DISCOUNT)
