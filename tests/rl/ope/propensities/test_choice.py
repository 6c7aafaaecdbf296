"""The choice of a behavior model by held-out shoppers."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.propensities.choice import BehaviorSettings, choose_behavior, clustered_error
from rl.ope.propensities.shopper_folds import partner_fold, shopper_folds
from tests.rl.factories import make_logged_episodes


def log_of(*, is_a_step: bool, n_shoppers: int = 600, seed: int = 0) -> LoggedEpisodes:
    """Three decisions a shopper between two actions, by a logistic rule or by one that no line can follow."""
    rng = np.random.default_rng(seed)
    n = 3 * n_shoppers
    features = rng.normal(size=(n, 3)).astype(np.float32)
    score = 4.0 * (features[:, 0] * features[:, 1] > 0) - 2.0 if is_a_step else 1.5 * features[:, 0]
    action = (rng.random(n) < 1 / (1 + np.exp(-score))).astype(np.int64)
    return make_logged_episodes(
        (3,) * n_shoppers, 2, features=features, next_features=features, action=action, propensity=np.full(n, np.nan)
    )


def test_choice_takes_the_simplest_model_that_is_as_good() -> None:
    """On a logistic logger trees and networks gain nothing, so the first entry stays."""
    log = log_of(is_a_step=False)
    choice = choose_behavior(log, shopper_folds(log, 4, 0), BehaviorSettings())
    assert choice.model == "masked_logistic"
    assert choice.log_loss < choice.log_loss_marginal < choice.log_loss_uniform + 0.01


def test_choice_takes_a_richer_model_where_it_pays() -> None:
    """A rule of the sign of a product is invisible to a line and plain to trees or a network."""
    log = log_of(is_a_step=True)
    choice = choose_behavior(log, shopper_folds(log, 4, 0), BehaviorSettings())
    assert choice.model in ("gradient_boosted_trees", "cloned_network")
    linear = min(trial.log_loss for trial in choice.trials if trial.model == "masked_logistic")
    assert choice.log_loss < linear - 0.05


def test_choice_reports_every_trial_and_what_was_left_out() -> None:
    """Trees aren't grown for hundreds of actions, and the result says so."""
    log = make_logged_episodes((3,) * 40, 300, features=np.zeros((120, 1), np.float32))
    settings = BehaviorSettings(models=("masked_logistic", "gradient_boosted_trees"))
    choice = choose_behavior(log, shopper_folds(log, 4, 0), settings)
    assert [trial.model for trial in choice.trials] == ["masked_logistic"] * 3
    assert choice.left_out == ("gradient_boosted_trees: takes at most 200 actions, the log has 300",)


def test_choice_refuses_when_no_model_is_left() -> None:
    """A list of models that can't take so many actions is an error, not a default."""
    log = make_logged_episodes((3,) * 40, 300, features=np.zeros((120, 1), np.float32))
    with pytest.raises(EvaluationError, match="no behavior model can be tried with 300 actions"):
        choose_behavior(log, shopper_folds(log, 4, 0), BehaviorSettings(models=("gradient_boosted_trees",)))


def test_clustered_error_counts_shoppers_not_rows() -> None:
    """Every value repeated four times within its shopper leaves the error of the shoppers' means."""
    values = np.random.default_rng(0).normal(size=50)
    repeated = clustered_error(np.repeat(values, 4), np.repeat(np.arange(50), 4))
    assert repeated == pytest.approx(values.std(ddof=1) / np.sqrt(50))


@pytest.mark.parametrize(("n_folds", "partners"), [(4, [1, 0, 3, 2]), (3, [1, 0, 1]), (2, [1, 0])])
def test_partner_fold_is_another_fold(n_folds: int, partners: list[int]) -> None:
    """Folds go in pairs; a last one alone takes the one before it."""
    assert [partner_fold(fold, n_folds) for fold in range(n_folds)] == partners
