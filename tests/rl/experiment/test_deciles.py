"""Tenths by predicted effect: the order holds where effects are real, and isn't shown where there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.errors import UnsupportedEstimator
from rl.experiment.deciles import decile_figures
from tests.rl.experiment.experiments import JUDGE, planted
from tests.rl.ope.effects.planted_effects import FIRST, NONE, SECOND


def test_tenths_hold_what_was_predicted_of_them() -> None:
    """Effects of 1 and .6: intervals hold their predictions, and the first tenth lies above the last."""
    decisions, fitted = planted(3000, noise=0.2)
    found = decile_figures(decisions, fitted, JUDGE, learner="dr_learner", nothing=NONE, name_of_nothing="none")
    assert [one.n for one in found.deciles] == [300] * 10
    predicted = [one.predicted for one in found.deciles]
    # Within a fold predictions fall; over folds their means do nearly.
    assert predicted[0] > 0.85
    assert predicted[-1] < 0.75
    held = [one.effect.lower <= one.predicted <= one.effect.upper for one in found.deciles]
    assert sum(held) >= 8
    assert found.spread.lower > 0
    assert found.spread.value == pytest.approx(found.deciles[0].effect.value - found.deciles[-1].effect.value)


def test_without_effects_no_order_is_shown() -> None:
    """Predictions that say nothing of the shopper leave first less last around 0."""
    decisions, fitted = planted(3000)
    rng = np.random.default_rng(5)
    noise = {"dr_learner": rng.normal(size=fitted.scores.shape)}
    found = decile_figures(
        decisions, replace(fitted, values=noise), JUDGE, learner="dr_learner", nothing=NONE, name_of_nothing="none"
    )
    assert found.spread.lower < 0 < found.spread.upper


def test_shoppers_without_a_choice_are_in_no_tenth() -> None:
    """The others make ten tenths of their own; too few of them make none."""
    decisions, fitted = planted(600)
    for n_blocked in (300, 450):
        blocked = decisions.mask.copy()
        blocked[:n_blocked, [FIRST, SECOND]] = False
        given = {"learner": "dr_learner", "nothing": NONE, "name_of_nothing": "none"}
        if n_blocked == 300:
            found = decile_figures(replace(decisions, mask=blocked), fitted, JUDGE, **given)
            assert sum(one.n for one in found.deciles) == 300
            assert all(25 <= one.n <= 35 for one in found.deciles)
        else:
            with pytest.raises(UnsupportedEstimator, match="hold fewer than 20 shoppers who have a choice"):
                decile_figures(replace(decisions, mask=blocked), fitted, JUDGE, **given)
