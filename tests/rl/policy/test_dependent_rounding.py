"""Lists that keep a budget exactly, drawn with the probabilities that are logged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl.errors import PolicyError
from rl.policy.dependent_rounding import draw_within_budget, largest_difference


def _shop(seed: int, n_units: int, n_actions: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    weights = generator.exponential(1, (n_units, n_actions)) * (generator.random((n_units, n_actions)) < 0.8)
    weights[:, 0] += 0.1
    return weights / weights.sum(axis=1, keepdims=True), generator.integers(0, 4, (n_units, n_actions)) / 2


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 5))
@settings(max_examples=300)
def test_no_draw_exceeds_the_budget(seed: int, n_units: int, n_actions: int) -> None:
    """The tightest budget that is accepted; and what is spent is within one unit's difference of what is expected."""
    probabilities, costs = _shop(seed, n_units, n_actions)
    expected, spread = (probabilities * costs).sum(), largest_difference(probabilities, costs)
    drawn = draw_within_budget(probabilities, costs, expected + spread, np.random.default_rng(seed))
    rows = np.arange(n_units)
    spent = costs[rows, drawn].sum()
    assert (probabilities[rows, drawn] > 0).all()
    assert spent <= expected + spread + 1e-9
    assert abs(spent - expected) <= spread + 1e-9


def test_each_action_is_drawn_with_its_probability() -> None:
    """8,000 draws of 12 units: each frequency within four standard errors."""
    probabilities, costs = _shop(4, 12, 4)
    generator, n_draws = np.random.default_rng(9), 8_000
    budget = (probabilities * costs).sum() + largest_difference(probabilities, costs)
    counts = np.zeros_like(probabilities)
    for _ in range(n_draws):
        counts[np.arange(12), draw_within_budget(probabilities, costs, budget, generator)] += 1
    error = np.sqrt(probabilities * (1 - probabilities) / n_draws)
    assert (np.abs(counts / n_draws - probabilities) <= 4 * error + 1e-12).all()


def test_equal_costs_spend_the_same_on_every_draw() -> None:
    """A hundred shoppers, an offer of 1 with a chance of .3 each: thirty of them get it, always."""
    probabilities, generator = np.tile([0.7, 0.3], (100, 1)), np.random.default_rng(1)
    drawn = [draw_within_budget(probabilities, np.array([0.0, 1.0]), 31.0, generator).sum() for _ in range(50)]
    assert set(drawn) == {30}


def test_certain_units_keep_their_actions() -> None:
    """Nothing is drawn where nothing is open, and no budget beyond what is certain is asked for."""
    probabilities = np.array([[0.0, 1.0], [1.0, 0.0]])
    drawn = draw_within_budget(probabilities, np.array([0.0, 2.0]), 2.0, np.random.default_rng(0))
    assert drawn.tolist() == [1, 0]
    assert draw_within_budget(np.zeros((0, 2)), np.array([0.0, 2.0]), 0.0, np.random.default_rng(0)).tolist() == []


@pytest.mark.parametrize("row", [[0.5, 0.4], [1.2, -0.2], [np.nan, 1.0]])
def test_what_are_no_probabilities_is_refused(row: list[float]) -> None:
    """A propensity that is logged must be the chance that was drawn with."""
    with pytest.raises(PolicyError, match="sum to 1"):
        draw_within_budget(np.array([row]), np.array([0.0, 1.0]), 9.0, np.random.default_rng(0))


def test_a_budget_that_a_draw_could_exceed_is_refused() -> None:
    """Before anything is drawn, with what to plan for."""
    with pytest.raises(PolicyError, match="smaller by that difference"):
        draw_within_budget(np.full((3, 2), 0.5), np.array([0.0, 2.0]), 3.0, np.random.default_rng(0))
