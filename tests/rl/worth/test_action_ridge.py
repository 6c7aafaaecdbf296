"""Ridge regressions by action find what actions add, and add next to nothing where they add nothing."""

from __future__ import annotations

import numpy as np

from rl.worth.action_ridge import Standardizer, deal_folds, fit_actions, fit_state

N, N_ACTIONS = 3000, 4


def columns_and_action(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    generator = np.random.default_rng(seed)
    columns = generator.normal(size=(N, 5))
    action = generator.integers(N_ACTIONS, size=N)
    return columns, action, deal_folds(np.arange(N) // 3, 3, seed), generator


def test_fit_actions_finds_a_slope_that_one_action_has() -> None:
    """An action's own slope of 1 comes back within a tenth: noise of 1 over some 750 rows leaves about .04."""
    columns, action, fold, generator = columns_and_action()
    outcome = columns[:, 0] * (action == 2) + generator.normal(size=N)
    found = fit_actions(columns, outcome[:, None], action, n_actions=N_ACTIONS, fold=fold)
    assert abs(found.slopes[2, 0, 0] - 1) < 0.1


def test_fit_actions_shrinks_what_is_only_noise() -> None:
    """Where actions add nothing, what is predicted of them varies by less than a twentieth of the noise."""
    columns, action, fold, generator = columns_and_action()
    noise = generator.normal(size=N)
    found = fit_actions(columns, noise[:, None], action, n_actions=N_ACTIONS, fold=fold)
    assert found.predict(columns, 0).std() < 0.05


def test_fit_actions_leaves_actions_never_taken_at_nothing() -> None:
    """An action without a row adds 0 to every prediction."""
    columns, action, fold, generator = columns_and_action()
    found = fit_actions(columns, generator.normal(size=(N, 1)), action, n_actions=N_ACTIONS + 1, fold=fold)
    assert not found.predict(columns, 0)[:, N_ACTIONS].any()


def test_fit_state_chooses_each_outcomes_own_penalty() -> None:
    """A clear outcome keeps its slope beside one that is nothing but noise, whose slopes vanish."""
    columns, _, fold, generator = columns_and_action()
    clear = columns[:, 1] + 0.5 * generator.normal(size=N)
    found = fit_state(columns, np.column_stack([clear, generator.normal(size=N)]), fold)
    assert found.slopes[1, 0] > 0.9
    assert np.abs(found.slopes[:, 1]).max() < 0.01


def test_deal_folds_keeps_a_shoppers_rows_together() -> None:
    """Every shopper's rows lie in one fold."""
    unit = np.random.default_rng(0).integers(50, size=500)
    fold = deal_folds(unit, 4, 1)
    assert all(len(np.unique(fold[unit == one])) == 1 for one in np.unique(unit))


def test_standardizer_reduces_features_that_are_too_many_for_the_actions() -> None:
    """With very many actions, columns are principal components: few, and without correlation."""
    features = np.random.default_rng(0).normal(size=(400, 60)).astype(np.float32)
    columns = Standardizer.fit(features, n_actions=200_000).columns(features)
    correlation = np.corrcoef(columns.T)
    assert columns.shape[1] < 60
    np.testing.assert_allclose(correlation, np.eye(len(correlation)), atol=1e-5)


def test_standardizer_drops_constant_features() -> None:
    """A feature that never changes has no column."""
    features = np.column_stack([np.ones(50), np.arange(50)]).astype(np.float32)
    assert Standardizer.fit(features, n_actions=3).columns(features).shape == (50, 1)
