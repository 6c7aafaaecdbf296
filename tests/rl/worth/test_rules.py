"""Rules are distributions over what is available, and the look-ahead rule differs by the future alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.worth.crossfit import CrossfitPredictions
from rl.worth.rules import greedy_rule, look_ahead_rule, one_step_rule
from tests.rl.worth.worth_logs import make_log, predictions_of

LOG = make_log(n_shoppers=40)
PREDICTIONS = predictions_of(LOG)


def with_future(future: np.ndarray) -> CrossfitPredictions:
    return replace(PREDICTIONS, future=future)


@pytest.mark.parametrize("make", [one_step_rule, look_ahead_rule])
def test_rules_are_distributions(make: object) -> None:
    """Rows of probabilities sum to 1, and the logged action's are taken from them."""
    rule = make(PREDICTIONS, LOG)  # type: ignore[operator]
    np.testing.assert_allclose(rule.probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(rule.logged, rule.probabilities[np.arange(len(rule.logged)), LOG.action])


def test_look_ahead_is_the_one_step_rule_where_nothing_follows() -> None:
    """Without a predicted effect on the future the two agree."""
    nothing = with_future(np.full_like(PREDICTIONS.future, 3.0))
    np.testing.assert_allclose(look_ahead_rule(nothing, LOG).probabilities, one_step_rule(nothing, LOG).probabilities)


def test_look_ahead_is_the_one_step_rule_where_the_future_agrees_with_the_reward() -> None:
    """A future that is twice the reward ranks actions alike: it may make nobody bolder."""
    agreeing = with_future(2 * PREDICTIONS.reward)
    np.testing.assert_allclose(look_ahead_rule(agreeing, LOG).probabilities, one_step_rule(agreeing, LOG).probabilities)


def test_look_ahead_avoids_what_costs_the_future() -> None:
    """An action that loses much afterwards is chosen less often than by the one-step rule."""
    costly = PREDICTIONS.future - 2.0 * (np.arange(3) == 2)
    rule, other = look_ahead_rule(with_future(costly), LOG), one_step_rule(with_future(costly), LOG)
    assert (rule.probabilities[:, 2] < other.probabilities[:, 2]).all()


def test_greedy_rule_takes_the_best_available_action_but_for_its_exploration() -> None:
    """With a tenth explored among three actions, the best has .9 and a third of a tenth."""
    rule = greedy_rule(PREDICTIONS, LOG, exploration=0.1)
    best = PREDICTIONS.reward.argmax(axis=1)
    np.testing.assert_allclose(rule.probabilities[np.arange(len(best)), best], 0.9 + 0.1 / 3)
