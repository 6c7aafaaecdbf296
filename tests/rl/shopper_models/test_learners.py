"""Trees kept as arrays predict what scikit-learn's do; calibration and AUC are those of their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import brier_score_loss, log_loss, mean_poisson_deviance, roc_auc_score

from rl.errors import TrainingError
from rl.shopper_models import tree_ensemble
from rl.shopper_models.calibration import IsotonicCurve, fit_calibrator, recalibrate, slope_error
from rl.shopper_models.comparison import auc_figure, log_losses, ranked_rows, resamples_of, squared_errors
from rl.shopper_models.linear_model import fit_linear
from rl.shopper_models.tree_ensemble import fit_trees


def rows(n=6_000, seed=0):
    rng = np.random.default_rng(seed)
    features = np.abs(rng.normal(size=(n, 4)))
    chance = 1 / (1 + np.exp(-(2 * features[:, 0] - 2 * features[:, 1] * features[:, 2])))
    features[rng.random((n, 4)) < 0.1] = np.nan
    return features, (rng.random(n) < chance).astype(float), rng.integers(0, n // 4, n), chance


@pytest.mark.parametrize("kind", ["probability", "amount"])
def test_arrays_predict_what_scikit_learn_does(kind, monkeypatch) -> None:
    kept = []
    as_arrays = tree_ensemble._as_arrays

    def keep(learner, kind):
        kept.append(learner)
        return as_arrays(learner, kind)

    monkeypatch.setattr(tree_ensemble, "_as_arrays", keep)
    features, outcome, shopper, _ = rows()
    outcome = outcome if kind == "probability" else outcome * np.abs(np.nan_to_num(features[:, 3])) * 40
    trees = fit_trees(features, outcome, shopper, kind=kind, seed=1)
    theirs = kept[0].predict_proba(features)[:, 1] if kind == "probability" else kept[0].predict(features)
    np.testing.assert_allclose(trees.predict(features), theirs, rtol=1e-12)
    assert len(trees.roots) > 5


def test_linear_amounts_are_right_on_the_whole() -> None:
    features, outcome, _, _ = rows()
    amounts = outcome * 37.5
    assert fit_linear(features, amounts, kind="amount").predict(features).mean() == pytest.approx(
        amounts.mean(), rel=1e-3
    )


def test_recalibration_finds_the_line_that_was_bent() -> None:
    """Log odds doubled and shifted by 1: slope .5 and intercept -.5, within four of the clustered standard errors."""
    _, outcome, shopper, chance = rows(40_000)
    bent = 1 / (1 + np.exp(-(2 * np.log(chance / (1 - chance)) + 1)))
    line = recalibrate(bent, outcome, kind="probability", shopper=shopper)
    errors = np.sqrt(np.diag(line.covariance))
    assert abs(line.intercept + 0.5) < 4 * errors[0] < 0.2
    assert abs(line.slope - 0.5) < 4 * errors[1] < 0.1
    with pytest.raises(TrainingError, match="predictions are the same"):
        recalibrate(np.full(10, 0.3), np.arange(10) % 2, kind="probability")


def test_many_outcomes_are_calibrated_by_a_curve_and_few_by_a_line() -> None:
    _, outcome, _, chance = rows()
    curve = fit_calibrator(chance**2, outcome, kind="probability", isotonic_above=500)
    assert isinstance(curve, IsotonicCurve)
    corrected = curve.apply(chance**2, "probability")
    assert corrected.mean() == pytest.approx(outcome.mean(), abs=1e-3)
    assert (corrected > 0).all() and (corrected < 1).all()
    assert not isinstance(fit_calibrator(chance**2, outcome, kind="probability", isotonic_above=5_000), IsotonicCurve)


def test_losses_and_auc_are_scikit_learns() -> None:
    _, outcome, _, chance = rows()
    coarse = np.round(chance, 1).clip(0.05, 0.95)  # with ties
    assert ranked_rows(coarse, outcome).auc == pytest.approx(roc_auc_score(outcome, coarse), abs=1e-12)
    assert squared_errors(coarse, outcome).mean() == pytest.approx(brier_score_loss(outcome, coarse))
    assert log_losses(coarse, outcome, "probability").mean() == pytest.approx(log_loss(outcome, coarse))
    amounts = outcome * 12
    assert log_losses(coarse, amounts, "amount").mean() == pytest.approx(mean_poisson_deviance(amounts, coarse))
    assert ranked_rows(coarse, np.ones(len(coarse))) is None


def test_intervals_widen_with_shoppers_who_are_alike() -> None:
    """Each shopper ten times over: intervals stay as wide as with one row each, not narrower by the root of ten."""
    _, outcome, _, chance = rows(600)
    once, tenfold = np.arange(600), np.repeat(np.arange(600), 10)

    def widths(shopper, times):
        resamples = resamples_of(shopper, n_resamples=400, level=0.95, seed=0)
        predicted, seen = np.repeat(chance, times), np.repeat(outcome, times)
        figures = (
            resamples.mean(squared_errors(predicted, seen)),
            auc_figure(ranked_rows(predicted, seen), resamples),
        )
        return np.array([one.upper - one.lower for one in figures])

    np.testing.assert_allclose(widths(tenfold, 10), widths(once, 1), rtol=1e-6)


def test_the_error_of_a_correction_is_how_much_its_slope_varies() -> None:
    """Over 200 draws of 500 shoppers with five rows each that stay or leave together, within a sixth."""
    rng = np.random.default_rng(2)
    slopes, errors = [], []
    for _ in range(200):
        shopper = np.repeat(np.arange(500), 5)
        link = np.repeat(rng.normal(-1.0, 1.0, 500), 5)
        outcome = (rng.random(500) < expit(link[::5])).repeat(5).astype(np.float64)
        predicted = expit(link / 2)  # half as far apart as what comes true
        slopes.append(recalibrate(predicted, outcome, kind="probability").slope)
        errors.append(slope_error(predicted, outcome, shopper, kind="probability"))
    assert np.mean(slopes) == pytest.approx(2.0, rel=0.03)
    assert np.mean(errors) * 2 == pytest.approx(np.std(slopes), rel=1 / 6)
    assert slope_error(np.full(10, 0.3), np.arange(10.0) % 2, np.arange(10), kind="probability") is None
