"""Simulated shoppers of a known hazard: what is learned is calibrated, and finds what the hazard knows."""

from __future__ import annotations

import numpy as np
import pytest

from conf.specs.shopper_model import ShopperModel, load_shopper_model
from rl.errors import NothingToLearn
from rl.shopper_models.comparison import ranked_rows
from rl.shopper_models.fitting import fit_shopper_model, split_days
from rl.shopper_models.judging import gate_answer, learner_figures, paired_differences, predictions
from tests.rl.shopper_models.simulated_activity import activity_of, bg_nbd_purchases, simulate


def model_of(name: str, **changes) -> ShopperModel:
    return ShopperModel.model_validate({**load_shopper_model(name).model_dump(), **changes})


@pytest.fixture(scope="module")
def known():
    """3,000 shoppers over 250 days."""
    simulated = simulate(3_000, 250, seed=1)
    model = model_of("purchase-propensity-7", n_resamples=300)
    return simulated, model, fit_shopper_model(simulated.activity(), model)


def test_trees_are_calibrated_and_skilled_where_the_hazard_is_known(known) -> None:
    _, model, fit = known
    trees = learner_figures(fit, model)[0]
    assert trees.name == "trees"
    assert 0.9 <= trees.slope.value <= 1.1
    assert trees.skill.lower > 0
    constant = next(one for one in learner_figures(fit, model) if one.name == "constant")
    assert gate_answer(trees, constant, model, over_champion=None).verdict == "promote"


def test_trees_close_half_of_the_gap_to_the_true_hazard(known) -> None:
    """Half of what the exact filter orders better than the logistic regression does, on the same rows."""
    simulated, model, fit = known
    found = predictions(fit)
    truth = simulated.true_probability(fit.test.shopper, fit.test.as_of_day, model.horizon_days)
    auc = {name: ranked_rows(one, fit.test_outcome).auc for name, one in {**found, "truth": truth}.items()}
    assert auc["truth"] > auc["logistic"] + 0.005, auc
    assert auc["trees"] - auc["logistic"] >= 0.5 * (auc["truth"] - auc["logistic"]), auc


def test_churn_is_no_worse_than_bg_nbd_on_its_own_purchases() -> None:
    """Trees know no law and need shoppers to learn it from: 8,000 over 60 weeks bring them within .002."""
    shopper, time = bg_nbd_purchases(8_000, 420, seed=3)
    activity = activity_of([f"s{one:05d}" for one in shopper], time.astype(np.int64), n_days=420)
    model = model_of("churn-risk", active_days=200, n_as_of_days=40, learners=["trees"], n_resamples=300)
    fit = fit_shopper_model(activity, model)
    against = next(one for one in paired_differences(fit, model) if one.other == "bg_nbd")
    assert against.gain.value >= -0.002


def test_no_horizon_reaches_into_the_next_part() -> None:
    model = model_of("purchase-propensity-28")
    parts = split_days(np.arange(100, 240, 7), model)
    assert parts.fit[-1] + 28 <= parts.calibration[0]
    assert parts.calibration[-1] + 28 <= parts.test[0]
    with pytest.raises(NothingToLearn, match="leave none for fitting"):
        split_days(np.arange(100, 121, 7), model)


def test_nothing_of_the_test_days_reaches_the_learners(known) -> None:
    """A shop that is closed from the first test day on is learned alike, to the bit."""
    simulated, model, fit = known
    first_test = int(fit.test.as_of_day.min())
    bought = simulated.bought.copy()
    bought[:, first_test:] = False
    other = fit_shopper_model(type(simulated)(bought).activity(), model)
    assert fit.known_until <= first_test
    for name in model.learners:
        np.testing.assert_array_equal(fit.learners[name].predict(fit.test), other.learners[name].predict(fit.test))


def test_expected_spend_is_calibrated_and_skilled() -> None:
    """Every purchase costs 10: amounts are as predictable as the number of purchases."""
    model = model_of("expected-spend", n_resamples=300)
    fit = fit_shopper_model(simulate(1_500, 250, seed=4).activity(), model)
    found = {one.name: one for one in learner_figures(fit, model)}
    assert set(found) == {"trees", "logistic", "constant", "rfm", "bg_nbd"}
    assert found["trees"].skill.lower > 0
    assert 0.85 <= found["trees"].slope.value <= 1.15
    assert found["trees"].mean_predicted == pytest.approx(fit.test_outcome.mean(), rel=0.15)
