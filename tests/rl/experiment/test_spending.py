"""Curves of gain against spend: known ends, paired differences, nothing for what isn't available."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.experiment.spending import spend_lines
from tests.rl.experiment.experiments import ACTIONS, COSTS, planted
from tests.rl.ope.effects.planted_effects import FIRST, NONE, SECOND


def test_an_action_at_random_ends_at_its_mean_effect() -> None:
    """Everybody gets it at its cost; half the money brings half of that."""
    decisions, fitted = planted()
    found = spend_lines(decisions, fitted, actions=ACTIONS, costs=COSTS, nothing=NONE, level=0.95)
    for arm in (FIRST, SECOND):
        (line,) = [one for one in found.lines if one.name == ACTIONS[arm]]
        effect = (fitted.scores[:, arm] - fitted.scores[:, NONE]).mean() + COSTS[arm]
        assert line.spend == (0.0, COSTS[arm])
        assert line.gain[-1] == pytest.approx(effect)


def test_learners_order_is_ahead_where_shoppers_differ() -> None:
    """Everybody's best action beats the better one to all at its cost, and the interval of the difference says so."""
    decisions, fitted = planted()
    found = spend_lines(decisions, fitted, actions=ACTIONS, costs=COSTS, nothing=NONE, level=0.95)
    assert [line.name for line in found.lines[:2]] == ["dr_learner", "t_learner"]
    assert found.ahead[-1].lower > 0
    ahead = found.lines[0].at[-1].value - next(one for one in found.lines if one.name == found.ahead_of).at[-1].value
    assert found.ahead[-1].value == pytest.approx(ahead)
    # Half of the shoppers at .3 and half at .6, each moved by an effect of 1 and .6, costs added again.
    assert found.lines[0].spend[-1] == pytest.approx(0.45, abs=0.03)
    assert found.lines[0].gain[-1] == pytest.approx(0.5 * 1.3 + 0.5 * 1.2, abs=0.15)


def test_nothing_is_spent_on_who_may_get_nothing() -> None:
    """Shoppers without a choice have no step on any path."""
    decisions, fitted = planted(600)
    blocked = decisions.mask.copy()
    blocked[:300, [FIRST, SECOND]] = False
    found = spend_lines(
        replace(decisions, mask=blocked), fitted, actions=ACTIONS, costs=COSTS, nothing=NONE, level=0.95
    )
    whole = spend_lines(decisions, fitted, actions=ACTIONS, costs=COSTS, nothing=NONE, level=0.95)
    assert found.lines[0].spend[-1] < 0.7 * whole.lines[0].spend[-1]


def test_equal_draws_give_equal_figures() -> None:
    """The seed fixes the intervals."""
    decisions, fitted = planted(600)
    one, other = (
        spend_lines(decisions, fitted, actions=ACTIONS, costs=COSTS, nothing=NONE, level=0.95, seed=3) for _ in range(2)
    )
    assert one == other
    assert np.isfinite([bound.lower for line in one.lines for bound in line.at]).all()
