"""Nothing is said of a shopper by a model that saw the shopper."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.data.discount_function import DiscountFunction
from rl.errors import UnsupportedEstimator
from rl.ope.effects.crossfit import arm_means, crossfit, deal_shoppers, margin_over
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.effects.planted_effects import FIRST, NONE, SECOND, decisions_of, planted_log
from tests.rl.ope.tabular_mdp import TablePolicy


def test_a_planted_leak_does_not_show() -> None:
    """A feature that names the shopper tells models of other shoppers nothing; values stay, whatever the outcome."""
    rng = np.random.default_rng(0)
    decisions = decisions_of(planted_log(1500))
    named = replace(decisions, features=np.column_stack([decisions.features, rng.random(1500)]).astype(np.float32))
    before = crossfit(named, baseline=NONE, n_folds=3)
    own = np.flatnonzero(before.fold == 1)[:50]
    outcome = named.outcome.copy()
    outcome[own] += 1000
    after = crossfit(named.with_outcome(outcome), baseline=NONE, n_folds=3)
    for name, values in before.values.items():
        np.testing.assert_array_equal(values[own], after.values[name][own])
        assert not np.array_equal(values[before.fold == 0], after.values[name][before.fold == 0])
    assert (before.best_arm[own] == after.best_arm[own]).all()


def test_the_best_arm_is_one_that_was_available() -> None:
    """Where it wasn't, the best of what was; a fold's own name for it stays."""
    decisions = decisions_of(planted_log(900))
    mask = decisions.mask.copy()
    mask[np.arange(900) % 9 < 2, FIRST] = False
    mask[np.arange(900) % 9 == 2, SECOND] = False
    kept = np.flatnonzero(mask[np.arange(900), decisions.action])
    decisions = replace(decisions, mask=mask).taken(kept)
    found = crossfit(decisions, baseline=NONE, n_folds=3)
    rows = np.arange(decisions.n)
    own = found.best_by_fold[found.fold]
    assert decisions.mask[rows, found.best_arm].all()
    assert (found.best_arm == own)[decisions.mask[rows, own]].all()
    assert not decisions.mask[rows, own].all() or NONE in own


def test_folds_are_alike_and_cover_all() -> None:
    """Every shopper is dealt; too few shoppers are refused."""
    assert np.bincount(deal_shoppers(103, 5, 0)).tolist() == [21, 21, 21, 20, 20]
    with pytest.raises(UnsupportedEstimator, match="9 shoppers can't be dealt into 5 folds"):
        deal_shoppers(9, 5, 0)


def test_an_action_given_to_nobody_is_named() -> None:
    """Its mean can't be known in those folds."""
    log = planted_log(60, propensities=(0.5, 0.5, 0.0))
    with pytest.raises(UnsupportedEstimator, match="action 2 was given to nobody in 2 of 3 folds"):
        crossfit(decisions_of(log), baseline=NONE, n_folds=3)


@given(st.integers(0, 10_000), st.sampled_from([(1 / 3, 1 / 3, 1 / 3), (0.2, 0.3, 0.5)]))
@settings(max_examples=30, deadline=None)
def test_snips_of_each_arm_is_its_mean(seed: int, propensities: tuple[float, ...]) -> None:
    """To 1e-9, on made samples; with equal propensities, that of those who got it."""
    log = planted_log(300, seed=seed, propensities=propensities)
    means = arm_means(decisions_of(log))
    for arm in (NONE, FIRST, SECOND):
        to_all = TablePolicy(np.tile(np.eye(3)[arm], (2, 1)), "to all")
        sample = evaluation_sample(to_all, log, discount=DiscountFunction(1.0))
        assert means[arm] == pytest.approx(ESTIMATORS["snips"].per_unit_sums(sample).value(), rel=0, abs=1e-9)
        assert means[arm] == pytest.approx(log.reward[log.action == arm].mean(), rel=0, abs=1e-9)


def test_margin_is_over_the_arm_among_what_is_available() -> None:
    """The best other action less the arm; minus infinity where there is no other."""
    decisions = replace(decisions_of(planted_log(2)), mask=np.array([[True, True, True], [True, False, False]]))
    values = np.array([[1.0, 3.0, 2.0], [1.0, 9.0, 9.0]])
    assert margin_over(values, decisions, 0).tolist() == [2.0, -np.inf]
    assert margin_over(values, decisions, np.array([1, 0])).tolist() == [-1.0, -np.inf]
