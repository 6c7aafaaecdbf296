"""Odds of turned verdicts agree with draws, and with what is known of two normal numbers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench.gate.flip_odds import FlipOdds

MISSED = 0.02


def test_flips_at_even_power_follow_sheppard() -> None:
    """Two normal numbers of mean 0 and correlation r differ in sign with probability arccos(r) / pi (Sheppard 1899)."""
    for move in (0.1, 0.5, 1.14):
        assert FlipOdds(0.5, move).flips == pytest.approx(np.arccos(1 / (1 + move**2)) / np.pi, rel=1e-6)


@pytest.mark.parametrize(("power", "move"), [(0.2, 0.5), (0.5, 1.14), (0.95, 0.8)])
def test_what_has_to_be_flagged_agrees_with_draws(power: float, move: float) -> None:
    draw, n = np.random.default_rng(7), 400_000
    odds = FlipOdds(power, move)
    first_two = draw.standard_normal(n) + move * draw.standard_normal((2, n))
    first, second = first_two + np.quantile(-first_two[0], power)
    turned = (first > 0) != (second > 0)
    nearest = np.argsort(np.abs(first))
    unflagged = turned.mean() - np.cumsum(turned[nearest]) / n
    assert odds.flips == pytest.approx(turned.mean(), abs=0.004)
    assert odds.least_flagged(MISSED) == pytest.approx(np.argmax(unflagged <= MISSED) / n, abs=0.01)


def test_nothing_is_flagged_where_verdicts_hardly_turn() -> None:
    assert FlipOdds(0.995, 0.3).least_flagged(MISSED) == 0.0
    assert FlipOdds(0.5, 0.3).unflagged_flips(40.0) == pytest.approx(0.0, abs=1e-12)
