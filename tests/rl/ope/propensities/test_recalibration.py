"""Corrections of estimated probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.ope.propensities.recalibration import RECALIBRATIONS, RecalibrationKind, Temperature, fit_recalibration


def overconfident(n: int = 8000, seed: int = 0) -> tuple[FloatArray, BoolArray, IntArray, FloatArray]:
    """Probabilities that are the truth's squares, renormalised; mask, actions and the truth."""
    rng = np.random.default_rng(seed)
    mask = rng.random((n, 4)) < 0.8
    mask[:, 0] = True
    weights = np.where(mask, rng.dirichlet(np.ones(4), size=n), 0.0) + mask * 1e-3
    truth = weights / weights.sum(axis=1, keepdims=True)
    action = (rng.random((n, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    squared = truth**2 / (truth**2).sum(axis=1, keepdims=True)
    return squared, mask, action.astype(np.int64), truth


def test_temperature_of_squared_probabilities_is_two() -> None:
    """The square root of a square is the truth; 8,000 actions know the temperature to about .03."""
    squared, mask, action, truth = overconfident()
    found = fit_recalibration("temperature", squared, mask, action)
    assert isinstance(found, Temperature)
    assert found.value == pytest.approx(2, abs=0.1)
    assert np.abs(found.apply(squared, mask) - truth).mean() < 0.01


def test_isotonic_curve_brings_probabilities_nearer_the_truth() -> None:
    """One curve for all actions can't undo a renormalised square exactly, but takes off more than a third."""
    squared, mask, action, truth = overconfident()
    corrected = fit_recalibration("isotonic", squared, mask, action).apply(squared, mask)
    assert np.abs(corrected - truth).mean() < 0.66 * np.abs(squared - truth).mean()


@pytest.mark.parametrize("kind", RECALIBRATIONS)
def test_recalibration_gives_distributions_over_available_actions(kind: RecalibrationKind) -> None:
    """Rows sum to 1, and nothing is on actions that can't be taken."""
    squared, mask, action, _ = overconfident(500, seed=1)
    corrected = fit_recalibration(kind, squared, mask, action).apply(squared, mask)
    np.testing.assert_allclose(corrected.sum(axis=1), 1)
    assert not corrected[~mask].any()
