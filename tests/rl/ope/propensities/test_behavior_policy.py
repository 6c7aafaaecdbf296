from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.propensities.behavior_policy import (
    BehaviorSettings,
    EstimatedBehavior,
    FoldFits,
    PropensityRepeats,
    estimate_behavior,
)
from rl.ope.propensities.calibration import calibration_report
from rl.ope.propensities.logged_propensities import check_logged_propensities
from rl.ope.propensities.models import BEHAVIOR_MODELS
from rl.ope.propensities.recalibration import RECALIBRATIONS, RecalibrationKind
from tests.rl.ope.tabular_mdp import episodes_of

N_ACTIONS = 4


def softmax_log(n_episodes: int, seed: int) -> tuple[LoggedEpisodes, FloatArray]:
    """Two-step episodes of a known masked softmax policy, three shoppers' visits each; and its probabilities.

    Action 3 is out of stock in most rows, and liked where it isn't.
    """
    rng = np.random.default_rng(seed)
    n = 2 * n_episodes
    features = rng.normal(size=(n, 3)).astype(np.float32)
    coefficients = np.array([[1.0, -1.0, 0.0, 0.5], [0.0, 0.5, -0.5, 0.0], [0.3, 0.0, 0.0, -0.7]])
    availability = np.array([[True, True, True, False], [True, True, True, True], [False, True, True, True]])
    mask_index = rng.choice(3, size=n, p=[0.7, 0.2, 0.1])
    scores = np.where(availability[mask_index], features @ coefficients + [0.2, 0.0, -0.4, 1.0], -np.inf)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    action = (rng.random((n, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    base = episodes_of([[0.0, 0.0]] * n_episodes, [[np.nan, np.nan]] * n_episodes)
    log = replace(
        base,
        features=features,
        next_features=features,
        action=action,
        availability=availability,
        mask_index=mask_index,
        next_mask_index=mask_index,
        unit=np.arange(n_episodes) // 3,
    )
    return log, probabilities


@pytest.fixture(scope="module")
def known() -> tuple[LoggedEpisodes, FloatArray]:
    return softmax_log(6000, seed=0)


@pytest.fixture(scope="module")
def estimated(known: tuple[LoggedEpisodes, FloatArray]) -> EstimatedBehavior:
    return estimate_behavior(known[0])


def test_estimated_propensities_approach_the_true_ones(
    known: tuple[LoggedEpisodes, FloatArray], estimated: EstimatedBehavior
) -> None:
    """The mean absolute error is under .013: 15 coefficients, known to .03 from 9,000 decisions, cost about .009."""
    log, probabilities = known
    truth = probabilities[np.arange(log.n_transitions), log.action]
    assert np.abs(estimated.episodes.propensity - truth).mean() < 0.013
    assert np.abs(estimated.policy.probabilities(log.features, log.mask()) - probabilities).mean() < 0.01


def test_estimated_propensities_are_marked_and_leave_the_log_alone(
    known: tuple[LoggedEpisodes, FloatArray], estimated: EstimatedBehavior
) -> None:
    """The source is named; everything but the propensity is the log's own."""
    assert estimated.propensity_source == "estimated"
    assert np.isnan(known[0].propensity).all()
    assert estimated.episodes.action is known[0].action
    assert ((estimated.episodes.propensity > 0) & (estimated.episodes.propensity <= 1)).all()


def test_estimated_policy_respects_masks(
    known: tuple[LoggedEpisodes, FloatArray], estimated: EstimatedBehavior
) -> None:
    """No probability on unavailable actions, and rows sum to 1."""
    mask = known[0].mask()
    probabilities = estimated.policy.probabilities(known[0].features, mask)
    assert not probabilities[~mask].any()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_estimate_behavior_is_calibrated_on_a_softmax_log(estimated: EstimatedBehavior) -> None:
    """Cross-fitted probabilities come true as often as they say, within sampling noise."""
    report = estimated.calibration
    assert report.expected_calibration_error < 0.02
    assert report.misplaced_share < 0.06
    assert report.log_loss < report.log_loss_uniform - 0.1
    for found in report.curve:
        noise = np.sqrt(found.mean_predicted * (1 - found.mean_predicted) / found.n)
        assert abs(found.mean_predicted - found.share_observed) < 5 * noise + 0.01
    assert sum(found.n for found in report.curve) > report.n_decisions


class _Overconfident:
    def row_probabilities(self, episodes: LoggedEpisodes, rows: slice) -> FloatArray:
        mask = episodes.mask(rows)
        probabilities = np.where(mask, 0.05 / (mask.sum(axis=1, keepdims=True) - 1), 0.0)
        probabilities[np.arange(len(mask)), mask.argmax(axis=1)] = 0.95
        return probabilities


def test_calibration_report_exposes_a_wrong_model(known: tuple[LoggedEpisodes, FloatArray]) -> None:
    """A model that is sure of the first available action is off by as much as it is sure too often."""
    log = known[0]
    report = calibration_report(_Overconfident(), log)
    share = (log.action == log.mask().argmax(axis=1)).mean()
    assert report.expected_calibration_error == pytest.approx(0.95 - share)
    assert report.misplaced_share == pytest.approx(2 * (0.95 - share))


def test_estimate_behavior_never_fits_on_the_shopper_it_scores(known: tuple[LoggedEpisodes, FloatArray]) -> None:
    """Changing one shopper's actions leaves that shopper's model, and so its other propensities, as they were."""
    log = known[0]
    settings = BehaviorSettings(models=("masked_logistic",), n_folds=3)
    rows = np.flatnonzero(log.unit[log.episode] == 5)
    changed = log.action.copy()
    changed[rows[0]] = 1 if log.action[rows[0]] != 1 else 2  # both are always in stock
    before = estimate_behavior(log, settings).episodes.propensity
    after = estimate_behavior(replace(log, action=changed), settings).episodes.propensity
    np.testing.assert_array_equal(after[rows[1:]], before[rows[1:]])
    others = log.unit[log.episode] != 5
    assert (after[others] != before[others]).any()


@pytest.mark.parametrize("name", BEHAVIOR_MODELS)
@pytest.mark.parametrize("kind", RECALIBRATIONS)
def test_cross_fit_propensities_never_saw_their_own_shopper(name: str, kind: RecalibrationKind) -> None:
    """Under every model and correction, a shopper's own actions move nobody's propensities but other shoppers'."""
    log, _ = softmax_log(240, seed=3)
    rows = np.flatnonzero(log.unit[log.episode] == 5)
    changed = np.where(np.isin(np.arange(log.n_transitions), rows), 3 - log.action.clip(1, 2), log.action)

    def fixed(actions: IntArray) -> FloatArray:
        altered = replace(log, action=actions)
        fits = FoldFits(altered, BehaviorSettings(), model=name, penalty=10.0, repeat=0)
        return fits.crossfit(kind).row_probabilities(altered, slice(None))

    before, after = fixed(log.action), fixed(changed)
    np.testing.assert_array_equal(after[rows], before[rows])
    assert (np.delete(after, rows, axis=0) != np.delete(before, rows, axis=0)).any()


def test_repeats_pool_into_mean_weights() -> None:
    """The pooled propensity's inverse is the mean of the repeats' inverses, and no repeat is the pool."""
    log, _ = softmax_log(300, seed=4)
    found = estimate_behavior(log, BehaviorSettings(models=("masked_logistic",), n_repeats=3))
    np.testing.assert_allclose(1 / found.episodes.propensity, (1 / found.repeats.by_repeat).mean(axis=0))
    assert found.repeats.by_model.shape == (3, 4, log.n_transitions)
    assert (found.repeats.by_repeat.std(axis=0) > 0).all()


def test_repeats_keep_logged_propensities_where_there_are_any() -> None:
    """Only missing ones vary between repeats."""
    repeats = PropensityRepeats(np.array([[0.2, 0.3], [0.4, 0.5]]), np.full((2, 4, 2), 0.1))
    filled = repeats.filled(np.array([np.nan, 0.9]))
    np.testing.assert_array_equal(filled.by_repeat, [[0.2, 0.9], [0.4, 0.9]])
    np.testing.assert_array_equal(filled.by_model[..., 1], 0.9)


def test_a_correction_is_kept_only_where_it_helps() -> None:
    """The masked logistic model of a softmax log needs none; the result says so and holds both reports."""
    log, _ = softmax_log(1500, seed=6)
    found = estimate_behavior(log, BehaviorSettings(models=("masked_logistic",)))
    assert found.recalibration == "none"
    assert found.calibration is found.calibration_before


def test_estimate_behavior_refuses_fewer_shoppers_than_folds() -> None:
    """Folds are dealt by shopper."""
    log, _ = softmax_log(6, seed=1)
    with pytest.raises(EvaluationError, match="2 units can't be dealt into 4 folds"):
        estimate_behavior(log)


def test_logged_propensities_of_the_true_policy_are_plausible(known: tuple[LoggedEpisodes, FloatArray]) -> None:
    """The uniform policy's weights average 1 under right propensities."""
    log, probabilities = known
    right = replace(log, propensity=probabilities[np.arange(log.n_transitions), log.action])
    check = check_logged_propensities(right)
    assert check.is_plausible
    assert check.mean_uniform_weight == pytest.approx(1, abs=4 * (check.standard_error or 0))
    assert check.smallest == right.propensity.min()


def test_logged_propensities_that_are_too_small_are_exposed(known: tuple[LoggedEpisodes, FloatArray]) -> None:
    """Half the true propensities make the weights average 2."""
    log, probabilities = known
    check = check_logged_propensities(
        replace(log, propensity=0.5 * probabilities[np.arange(log.n_transitions), log.action])
    )
    assert not check.is_plausible
    assert check.mean_uniform_weight == pytest.approx(2, abs=0.1)


def test_missing_propensities_cannot_be_checked(known: tuple[LoggedEpisodes, FloatArray]) -> None:
    """A log without them is refused with the share that is missing."""
    check = check_logged_propensities(known[0])
    assert (check.share_missing, check.is_plausible) == (1.0, False)
    assert "no propensities" in (check.refusal or "")
