"""Curves of gain against spend: equal to their peer's, with intervals that hold what is true."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from conf.settings import PROJECT_ROOT
from rl.errors import EvaluationError
from rl.ope.spend_curve import estimate_curve, spend_curve
from rl.policy.offer_budget import spend_path


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    """Values, scores and costs of 40 units and 4 actions, and what grf-labs' maq makes of them: its solution path."""
    found: dict[str, Any] = json.loads((PROJECT_ROOT / "tests" / "golden" / "spend_curve.json").read_text())
    return found


def test_path_and_curve_are_maq_s(golden: dict[str, Any]) -> None:
    """Every step: who gets what next, spend and gain so far."""
    values, scores, costs = (np.array(golden[name]) for name in ("values", "scores", "costs"))
    path = spend_path(values, costs)
    curve = spend_curve(path, scores)
    spend, gain, unit, action = (np.array(one) for one in zip(*golden["path"], strict=True))
    assert path.unit.tolist() == unit.tolist()
    assert path.action.tolist() == action.tolist()
    np.testing.assert_allclose(curve.spend[1:], spend, rtol=0, atol=1e-12)
    np.testing.assert_allclose(curve.gain[1:], gain, rtol=0, atol=1e-12)


def test_curve_ends_with_everybody_s_best_action() -> None:
    """Beyond the last step nothing is left to buy; halfway along a step half of it is bought."""
    curve = spend_curve(spend_path(np.array([[1.0], [3.0]]), np.array([[2.0], [2.0]])), np.array([[1.0], [5.0]]))
    assert curve.gain_at(np.array([0.0, 0.5, 1.0, 2.0, 9.0])).tolist() == [0.0, 1.25, 2.5, 3.0, 3.0]


def test_intervals_hold_the_true_curve() -> None:
    """Scores of 300 units, heavier noise on dear actions; bounds are means over 300 logs: 92 to 98%."""
    generator = np.random.default_rng(20)
    n_units, at = 300, np.array([0.1, 0.4, 0.8])
    costs = np.array([0.5, 1.0, 2.0])

    def shop(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        kind = generator.normal(0, 1, (n, 1))
        effect = kind * np.array([0.4, 0.8, 1.2]) + np.array([0.1, 0.1, 0.0])
        guess = effect + generator.normal(0, 0.5, effect.shape)
        return guess, effect, effect + generator.normal(0, 1, effect.shape) * costs

    guess, effect, _ = shop(400_000)
    true = spend_curve(spend_path(guess, costs), effect).gain_at(at)
    n_held, n_logs = np.zeros(len(at)), 300
    for seed in range(n_logs):
        guess, _, scores = shop(n_units)
        found = estimate_curve(spend_path(guess, costs), scores, at, n_draws=150, seed=seed)
        n_held += (found.lower <= true) & (true <= found.upper)
    assert ((n_held / n_logs >= 0.92) & (n_held / n_logs <= 0.98)).all(), n_held / n_logs


def test_units_that_belong_together_are_drawn_together() -> None:
    """Ten weeks of one shopper each are no ten shoppers: the error is that of a tenth as many."""
    generator = np.random.default_rng(3)
    own = generator.normal(1, 1, (100, 1))
    scores, owner = np.repeat(own, 10, axis=0), np.repeat(np.arange(100), 10)
    path = spend_path(np.ones((1000, 1)), np.array([1.0]))
    apart = estimate_curve(path, scores, np.array([1.0]), n_draws=300).error[0]
    together = estimate_curve(path, scores, np.array([1.0]), clusters=owner, n_draws=300).error[0]
    assert together == pytest.approx(own.std(ddof=1) / 10, rel=0.15)
    assert together / apart == pytest.approx(np.sqrt(10), rel=0.2)


def test_scores_that_are_no_numbers_are_refused() -> None:
    """One missing score would make the whole curve NaN from there on."""
    path = spend_path(np.ones((2, 1)), np.array([1.0]))
    with pytest.raises(EvaluationError, match="finite scores"):
        spend_curve(path, np.array([[1.0], [np.nan]]))
