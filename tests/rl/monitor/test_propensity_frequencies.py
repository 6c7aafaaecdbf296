"""Actions chosen as often as told, and not."""

from __future__ import annotations

import numpy as np

from rl.monitor.propensity_frequencies import explained, frequencies


def drawn(n: int, n_actions: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of a policy that knows shoppers, a long tail of rare actions among them, and its choices."""
    rng = np.random.default_rng(seed)
    weights = rng.gamma(1.0, 1.0, (n, n_actions)) * 0.7 ** np.arange(n_actions)
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    return probabilities, (probabilities.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


def test_p_values_of_honest_choices_are_uniform() -> None:
    """400 days: the share below a tenth is a tenth, to four of its errors."""
    found = [frequencies(*drawn(600, 40, seed)).p_value for seed in range(400)]
    for level in (0.1, 0.5, 0.9):
        assert abs(np.mean(np.array(found) < level) - level) < 4 * np.sqrt(level * (1 - level) / 400)


def test_other_choices_are_told_apart() -> None:
    probabilities, action = drawn(2_000, 40, 1)
    rng = np.random.default_rng(2)
    uniform = np.where(rng.random(2_000) < 0.2, rng.integers(40, size=2_000), action)
    assert frequencies(probabilities, uniform).p_value < 1e-6
    assert frequencies(probabilities, uniform).score > 4


def test_too_few_decisions_are_not_compared() -> None:
    assert frequencies(*drawn(15, 40, 3)) is None


def test_no_group_is_rarer_than_the_limit_takes() -> None:
    found = frequencies(*drawn(500, 40, 4))
    assert found.n_groups <= 13
    assert found.degrees == found.n_groups - 1


def test_a_propensity_of_another_observation_is_not_explained() -> None:
    logged = np.array([0.2, 0.2, 0.5])
    assert explained(logged, np.array([0.2 * (1 + 1e-6), 0.25, 0.5])).tolist() == [True, False, True]
