"""Simulated shoppers of a known hazard: what is learned is calibrated, and finds what the hazard knows."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from conf.specs.shopper_model import ShopperModel, load_shopper_model
from rl.errors import NothingToLearn
from rl.shopper_models.blend import BlendedModel
from rl.shopper_models.comparison import ranked_rows
from rl.shopper_models.examples import examples_at
from rl.shopper_models.fitting import EPOCH, fit_shopper_model, split_days
from rl.shopper_models.judging import gate_answer, learner_figures, paired_differences, predictions
from rl.shopper_models.stored_model import StoredModel, read_stored_model
from tests.rl.shopper_models.simulated_activity import activity_of, bg_nbd_purchases, simulate
from tests.rl.shopper_models.simulated_sessions import simulate_sessions


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
    """Of 3,000 shoppers over 43 weeks, from whom trees alone learn too little: the blend is within .002."""
    shopper, time = bg_nbd_purchases(3_000, 300, seed=3)
    activity = activity_of([f"s{one:05d}" for one in shopper], time.astype(np.int64), n_days=300)
    model = model_of("churn-risk", active_days=200, n_as_of_days=30, n_resamples=300)
    fit = fit_shopper_model(activity, model)
    against = {one.other: one.gain for one in paired_differences(fit, model)}
    assert against["bg_nbd"].value >= -0.002
    assert against["trees"].value > 0


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


def test_a_young_log_s_counts_are_scaled_to_whole_windows() -> None:
    """Shoppers of steady rates look alike on every as-of day, however far the log reaches back; no tenure is known."""
    rng = np.random.default_rng(4)
    shopper, day = np.nonzero(rng.random((2_000, 200)) < 0.2)
    activity = activity_of([f"s{one:05d}" for one in shopper], day, n_days=200)
    days = np.array([30, 60, 180])

    def means(**changes: object) -> dict[int, float]:
        found = examples_at(activity, model_of("churn-risk", **changes), days)
        column = found.features[:, found.feature_names.index("n_visit_days_90")]
        return {int(one): float(column[found.as_of_day == one].mean()) for one in days}

    scaled, plain = means(), means(scales_short_histories=False)
    assert plain[30] < 0.4 * plain[180]
    assert scaled[30] == pytest.approx(scaled[180], rel=0.03)
    assert scaled[60] == pytest.approx(scaled[180], rel=0.03)
    assert scaled[180] == plain[180]
    with pytest.raises(ValidationError, match="take tenure_days from the features"):
        model_of("churn-risk", features=["tenure_days"])


def test_the_blend_is_stored_whole(tmp_path) -> None:
    """Trees, BG/NBD and calibration: read again it predicts the same, to the bit."""
    model = model_of("churn-risk", active_days=60, n_resamples=200)
    fit = fit_shopper_model(simulate(400, 200, seed=6).activity(), model)
    known_until = EPOCH + timedelta(days=fit.known_until)
    stored = StoredModel(model, "shop", known_until, fit.test.feature_names, fit.learners["blend"])
    stored.write(tmp_path)
    again = read_stored_model(tmp_path)
    np.testing.assert_array_equal(again.learner.predict(fit.test), fit.learners["blend"].predict(fit.test))
    assert again.digest == stored.digest
    assert isinstance(again.learner.learner, BlendedModel)


def test_a_blend_without_bg_nbd_says_which_part_it_lacks() -> None:
    """A session has no repeat purchases: days are what the law is of."""
    shop = simulate_sessions(150, 40, seed=3)
    model = model_of("session-purchase", learners=["blend"], n_resamples=200)
    with pytest.raises(NothingToLearn, match="the blend lacks a part: it knows days"):
        fit_shopper_model(shop.activity(), model, shop.running())
