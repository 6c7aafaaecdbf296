"""Learners of effects find who is moved by what, and serve any evaluation as a baseline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import Policy
from rl.errors import EvaluationError
from rl.ope.effects.learners import (
    LEARNERS,
    EffectPolicy,
    action_scores,
    best_available,
    fit_dr_learner,
    shopper_halves,
)
from rl.ope.intervals.intervals import Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import EvaluationSettings, evaluate_policies
from tests.rl.ope.effects.planted_effects import EFFECT, FIRST, NONE, SECOND, decisions_of, planted_log


@pytest.mark.parametrize("name", list(LEARNERS))
def test_learner_finds_who_is_moved_by_what(name: str) -> None:
    """Effects of 6,000 shoppers within .2: their standard error is .07 or less."""
    decisions = decisions_of(planted_log(6000))
    values = LEARNERS[name](decisions, baseline=NONE, seed=1).values(np.eye(2, dtype=np.float32))
    np.testing.assert_allclose(values - values[:, [NONE]], EFFECT, atol=0.2)
    assert values.argmax(axis=1).tolist() == [FIRST, SECOND]


def test_dr_learner_says_no_more_than_constants_where_nobody_differs() -> None:
    """Shoppers differ much in what they spend, and not at all in what an e-mail does to them."""
    rng = np.random.default_rng(4)
    log = planted_log(4000)
    outcome = 5.0 * log.features[:, 0] + (log.action == FIRST) + rng.normal(size=4000)
    decisions = decisions_of(log).with_outcome(outcome)
    values = fit_dr_learner(decisions, baseline=NONE, seed=1).values(np.eye(2, dtype=np.float32))
    assert np.abs(values[0] - values[1]).max() < 0.25
    assert values[:, FIRST] == pytest.approx([1.0, 1.0], abs=0.25)


def test_effects_over_an_action_that_is_none_are_refused() -> None:
    """The message says how many there are."""
    with pytest.raises(EvaluationError, match="effects over action 3, but there are 3"):
        fit_dr_learner(decisions_of(planted_log(300)), baseline=3)


@given(st.integers(0, 10_000), st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_scores_are_unbiased_whatever_was_predicted(seed: int, wrong_by: float) -> None:
    """The mean score of each action is its value, within 5 standard errors, for predictions wrong by anything."""
    log = planted_log(2000, seed=seed)
    predicted = np.full((2000, 3), wrong_by)
    scores = action_scores(decisions_of(log), predicted)
    kind = log.features.argmax(axis=1)
    true = (2.0 * kind[:, None] + EFFECT[kind]).mean(axis=0)
    error = scores.std(axis=0) / np.sqrt(2000)
    assert (np.abs(scores.mean(axis=0) - true) < 5 * error).all()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_policy_takes_the_best_of_what_is_available(seed: int) -> None:
    """Rows sum to 1, nothing masked is ever taken, and no available action is worth more."""
    rng = np.random.default_rng(seed)
    values, mask = rng.normal(size=(40, 4)), rng.random((40, 4)) < 0.5
    mask[:, 0] |= ~mask.any(axis=1)
    chosen = best_available(values, mask)
    assert (chosen.sum(axis=1) == 1).all()
    assert not chosen[~mask].any()
    assert ((chosen * values).sum(axis=1) == np.where(mask, values, -np.inf).max(axis=1)).all()


@pytest.mark.parametrize("name", list(LEARNERS))
def test_learner_is_a_baseline_of_a_night_s_evaluation(name: str) -> None:
    """Fitted on training shoppers and judged on others, it earns what the best actions do: 1.8."""
    train, test = planted_log(4000, seed=1), planted_log(4000, seed=2)
    model = LEARNERS[name](decisions_of(train), baseline=NONE, seed=1)
    policy: Policy = EffectPolicy(model, version=name)
    how = EvaluationSettings(
        discount=DiscountFunction(1.0),
        steps=1,
        resampling=Resampling(n_draws=200),
        fqe=FqeSettings(method="linear", ridge=0.1),
        estimators=("dr",),
    )
    found = evaluate_policies({name: policy}, train=train, test=test, settings=how)
    (report,) = [one for one in found.reports if one.policy == name]
    assert report.value == pytest.approx(1.8, abs=0.12)


def test_a_shopper_s_decisions_stand_in_one_half() -> None:
    """Of several weeks a shopper all go together; of one decision each, whatever the ids, halves are as drawn."""
    once = decisions_of(planted_log(60))
    drawn = np.random.default_rng(5).permutation(once.n) % 2
    for unit in (np.arange(once.n), np.random.default_rng(2).permutation(once.n)):
        np.testing.assert_array_equal(shopper_halves(replace(once, unit=unit), 5), drawn)
    often = replace(once, unit=np.random.default_rng(3).integers(0, 12, once.n))
    half = shopper_halves(often, 5)
    assert all(len(set(half[often.unit == shopper].tolist())) == 1 for shopper in range(12))
    assert set(half.tolist()) == {0, 1}
