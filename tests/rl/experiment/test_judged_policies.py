"""Policies beside the best arm: what is better is told, what is alike isn't judged, what can't be told is left open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.experiment.figures import PolicyFigures
from rl.experiment.judged_policies import LEAST_SHARE, share_told
from rl.ope.effects.crossfit import margin_over
from tests.rl.experiment.experiments import ACTIONS, planted, report


def policies_of(*, n: int = 3000, noise: float = 1.0) -> dict[tuple[str, float | None], PolicyFigures]:
    return {(one.name, one.share_asked): one for one in report(n, noise=noise).outcomes[0].policies}


def test_what_the_experiment_can_tell_is_told() -> None:
    """Each kind of shopper has an action of its own: learners gain .55 over the first to all, and are seen to."""
    found = policies_of()
    for learner in ("t_learner", "dr_learner"):
        told = found[learner, None]
        assert told.answer == "better"
        assert told.gain.lower < 0.55 < told.gain.upper  # 1.8 at best, 1.25 by one action
        assert told.share_different == pytest.approx(0.5, abs=0.05)
    assert found["none", None].answer == "worse"
    assert found["discrete_cql-1", None].answer == "worse"


def test_the_best_arm_has_no_gain_over_itself() -> None:
    """To the last digit: it is paired with itself."""
    outcome = report().outcomes[0]
    (best,) = [one for one in outcome.policies if one.kind == "arm" and one.share_different == 0]
    assert outcome.best_arms == (best.name,)
    assert (best.gain.lower, best.gain.value, best.gain.upper) == (0, 0, 0)
    assert best.answer == "too_alike"
    assert best.value.value == pytest.approx(outcome.best_value.value)


def test_a_small_loud_experiment_tells_nothing() -> None:
    """Effects below a spread of 40 in 600 shoppers: no learner is called better or worse."""
    found = policies_of(n=600, noise=40.0)
    learned = [one for (name, _), one in found.items() if name.endswith("learner")]
    assert {one.answer for one in learned} <= {"cannot_tell", "too_alike"}
    assert all(one.answer == "too_alike" for one in learned if one.share_different < LEAST_SHARE - 0.01)


def test_a_share_is_told_by_thresholds_of_other_shoppers() -> None:
    """With values that all differ, about the share asked for; those of the largest margins, and the best arm else."""
    decisions, fitted = planted()
    rng = np.random.default_rng(1)
    values = fitted.values["dr_learner"] + rng.normal(0, 0.1, fitted.values["dr_learner"].shape)
    margin = margin_over(values, decisions, fitted.best_arm)
    elsewhere = tuple(margin[fitted.fold != k] for k in range(3))
    fitted = replace(fitted, values={"dr_learner": values}, margins_elsewhere={"dr_learner": elsewhere})
    told = share_told(decisions, fitted, "dr_learner", 0.2).argmax(axis=1)
    differs = told != fitted.best_arm
    assert differs.mean() == pytest.approx(0.2, abs=0.03)
    assert margin[differs].min() >= np.quantile(margin[~differs], 0.95)


def test_widths_grow_with_the_share_that_is_treated_differently() -> None:
    """By about the root of it: four times as many, twice as wide."""
    rows = {one.share: one.half_width for one in report().outcomes[0].resolution}
    assert sorted(rows.values()) == list(rows.values())
    assert rows[0.2] / rows[0.05] == pytest.approx(2, rel=0.25)


def test_arms_are_shown_with_the_mean_of_those_who_got_them() -> None:
    """To 1e-9, and the numbers add up to all shoppers."""
    decisions, _ = planted()
    arms = report().outcomes[0].arms
    assert sum(arm.n for arm in arms) == decisions.n
    for place, arm in enumerate(arms):
        assert arm.name == ACTIONS[place]
        assert arm.mean.value == pytest.approx(decisions.outcome[decisions.action == place].mean(), rel=0, abs=1e-9)
        assert arm.mean.lower < arm.mean.value < arm.mean.upper
