from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rl.errors import PolicyError
from rl.policy.action_probabilities import draw, masked_softmax, refuse_empty, with_exploration

LOGITS = arrays(np.float64, (5, 4), elements=st.floats(-50, 50))
MASKS = arrays(np.bool_, (5, 4)).map(lambda mask: mask | ~mask.any(axis=1, keepdims=True))


@settings(max_examples=50, deadline=None)
@given(LOGITS, MASKS, st.floats(0.01, 100), st.floats(0, 1))
def test_probabilities_are_a_distribution_over_available_actions(
    logits: np.ndarray, mask: np.ndarray, temperature: float, floor: float
) -> None:
    """Rows sum to 1, unavailable actions have 0, available ones at least the floor's share."""
    found = with_exploration(masked_softmax(logits, mask, temperature), mask, floor)
    assert np.allclose(found.sum(axis=1), 1)
    assert (found[~mask] == 0).all()
    least = floor / mask.sum(axis=1, keepdims=True)
    assert (found >= np.where(mask, least, 0) - 1e-12).all()


def test_masked_softmax_matches_the_formula() -> None:
    """exp(logit / temperature) over its sum."""
    found = masked_softmax(np.array([[1.0, 2.0, 9.0]]), np.array([[True, True, False]]), 0.5)
    assert np.allclose(found, [[np.exp(2) / (np.exp(2) + np.exp(4)), np.exp(4) / (np.exp(2) + np.exp(4)), 0]])


def test_low_temperature_is_greedy() -> None:
    """A small temperature puts everything on the best available action, without overflow."""
    found = masked_softmax(np.array([[3.0, 900.0, 2.0]]), np.array([[True, False, True]]), 1e-4)
    assert found.tolist() == [[1.0, 0.0, 0.0]]


def test_draw_follows_the_probabilities() -> None:
    """Frequencies of 20,000 draws are within .015 of the probabilities (four standard errors)."""
    probabilities = np.tile([0.5, 0.0, 0.2, 0.3], (20_000, 1))
    found = np.bincount(draw(probabilities, np.random.default_rng(0)), minlength=4) / 20_000
    assert np.abs(found - probabilities[0]).max() < 0.015
    assert found[1] == 0


def test_draw_never_takes_an_impossible_action() -> None:
    """Rounding of the cumulative sum can't push a draw onto an action of probability 0."""
    probabilities = np.tile([0.0] + [0.1] * 9 + [0.0], (50_000, 1))
    found = draw(probabilities / probabilities.sum(axis=1, keepdims=True), np.random.default_rng(1))
    assert found.min() >= 1
    assert found.max() <= 9


def test_refuse_empty_names_a_row() -> None:
    """A row without available action is an error."""
    with pytest.raises(PolicyError, match="1 of 2 rows have no available action, such as row 1"):
        refuse_empty(np.array([[True, False], [False, False]]), "available action")
