"""One suite that every behavior model of the registry runs through."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.ope.propensities.decisions import LoggedChoices
from rl.ope.propensities.models import BEHAVIOR_MODELS, BehaviorModel, behavior_model

N_ACTIONS = 4
# Mean absolute error of 4 probabilities after 6,000 decisions of a logistic logger. 9 coefficients in the model's own
# family are known to .03 each, which moves a probability by .006; trees approach a plane by steps, a network stops
# early, and masks applied afterwards leave a bias of their own.
TOLERANCES = {
    "masked_logistic": 0.012,
    "multinomial_logistic": 0.02,
    "gradient_boosted_trees": 0.05,
    "cloned_network": 0.03,
}

every_model = pytest.mark.parametrize("model", BEHAVIOR_MODELS.values(), ids=BEHAVIOR_MODELS)


def logistic_decisions(n: int, seed: int, *, is_masked: bool) -> tuple[LoggedChoices, FloatArray]:
    """Decisions of a known logistic logger, two a shopper, and its probabilities."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 2)).astype(np.float32)
    coefficients = np.array([[1.0, -1.0, 0.0, 0.5], [0.0, 0.5, -0.5, 0.0]])
    mask = rng.random((n, N_ACTIONS)) < 0.7 if is_masked else np.ones((n, N_ACTIONS), dtype=bool)
    mask[:, 0] = True
    scores = np.where(mask, features @ coefficients + [0.2, 0.0, -0.4, 0.0], -np.inf)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    action = (rng.random((n, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    return LoggedChoices(features, mask, action.astype(np.int64), np.arange(n) // 2), probabilities


@every_model
def test_behavior_model_gives_distributions_over_available_actions(model: BehaviorModel) -> None:
    """Rows sum to 1, and nothing is on actions that can't be taken, also under masks that the fit never saw."""
    fitted = model.fit(logistic_decisions(500, 0, is_masked=True)[0], penalty=model.penalties[0], seed=0)
    mask = np.zeros((4, N_ACTIONS), dtype=bool)
    mask[np.arange(4), [0, 1, 2, 3]] = True
    mask[0] = True
    probabilities = fitted.probabilities(np.zeros((4, 2), dtype=np.float32), mask)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert not probabilities[~mask].any()
    assert (probabilities >= 0).all()


@every_model
def test_behavior_model_recovers_a_logistic_logger(model: BehaviorModel) -> None:
    """On decisions of other shoppers the probabilities come close to the logger's; tolerances say why."""
    decisions, _ = logistic_decisions(6000, 1, is_masked=False)
    others, truth = logistic_decisions(1000, 2, is_masked=False)
    found = model.fit(decisions, penalty=model.penalties[0], seed=0).probabilities(others.features, others.mask)
    assert np.abs(found - truth).mean() < TOLERANCES[model.name]


@every_model
def test_behavior_model_is_fixed_by_its_seed(model: BehaviorModel) -> None:
    """Two fits on the same decisions with the same seed agree to the last bit."""
    decisions, _ = logistic_decisions(600, 3, is_masked=True)
    first, second = (
        model.fit(decisions, penalty=model.penalties[0], seed=5).probabilities(decisions.features, decisions.mask)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


@every_model
@pytest.mark.parametrize("actions", [(2,), (1, 3)], ids=["one", "two"])
def test_behavior_model_copes_with_few_actions_seen(model: BehaviorModel, actions: tuple[int, ...]) -> None:
    """Where the rows show one or two actions of four, these get nearly all, and rows without them a distribution."""
    decisions, _ = logistic_decisions(400, 4, is_masked=False)
    shown = np.asarray(actions)[np.arange(400) % len(actions)]
    fitted = model.fit(
        LoggedChoices(decisions.features, decisions.mask, shown, decisions.unit), penalty=model.penalties[0], seed=0
    )
    assert fitted.probabilities(decisions.features, decisions.mask)[:, actions].sum(axis=1).mean() > 0.9
    unseen = np.isin(np.arange(N_ACTIONS), actions, invert=True)[None, :]
    assert fitted.probabilities(decisions.features[:1], unseen).sum() == pytest.approx(1)


@pytest.mark.parametrize("name", ["masked_logistic", "cloned_network"])
def test_masks_in_the_likelihood_beat_masks_afterwards(name: str) -> None:
    """An action that is seldom available and liked where it is: renormalising afterwards makes it unpopular."""
    rng = np.random.default_rng(5)
    mask = np.ones((4000, 3), dtype=bool)
    mask[:, 2] = rng.random(4000) < 0.2
    truth = np.where(mask, [0.2, 0.2, 0.6], 0.0)
    truth = truth / truth.sum(axis=1, keepdims=True)
    action = (rng.random((4000, 1)) > truth.cumsum(axis=1)).sum(axis=1)
    decisions = LoggedChoices(rng.normal(size=(4000, 2)).astype(np.float32), mask, action, np.arange(4000))

    def error(model_name: str) -> float:
        model = behavior_model(model_name)
        fitted = model.fit(decisions, penalty=model.penalties[0], seed=0)
        return float(np.abs(fitted.probabilities(decisions.features, mask) - truth)[mask[:, 2]].mean())

    assert error(name) < 0.5 * error("multinomial_logistic")


def test_unknown_behavior_model_is_refused_with_a_suggestion() -> None:
    """A misspelt name comes back with the nearest one."""
    with pytest.raises(EvaluationError, match=r"did you mean masked_logistic\?"):
        behavior_model("masked_logistics")
