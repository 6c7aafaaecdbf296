"""Values of what an episode's own steps earn: exact to the horizon, whatever lies behind it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.intervals.intervals import Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from rl.ope.samples.own_steps import OnOwnFeatures, ended_at_cuts, with_steps_left
from tests.rl.factories import make_logged_episodes
from tests.rl.ope.tabular_mdp import TabularMdp, small_mdp

N_STEPS = 3
SETTINGS = EvaluationSettings(
    discount=DiscountFunction(0.9),
    steps=8,
    after_cut="nothing",
    resampling=Resampling(n_draws=200),
    fqe=FqeSettings(method="linear", ridge=0.1),
    estimators=("dm", "dr", "wdr", "pdis"),
)


@pytest.fixture(scope="module")
def mdp() -> TabularMdp:
    """No episode ends by itself."""
    return small_mdp(end_probability=0.0)


@pytest.fixture(scope="module")
def evaluation(mdp: TabularMdp) -> PolicyEvaluation:
    """Blocks of three steps, cut by time."""
    behavior = mdp.random_policy(1, sharpness=0.7)
    train, test = (mdp.log(behavior, n_episodes=4000, seed=seed, max_steps=N_STEPS) for seed in (0, 1))
    return evaluate_policies(
        {"other": mdp.random_policy(2, version="other")}, train=train, test=test, settings=SETTINGS
    )


@pytest.mark.parametrize("name", SETTINGS.estimators)
@pytest.mark.parametrize("policy", ["other", BEHAVIOR])
def test_values_are_of_the_own_steps_alone(
    evaluation: PolicyEvaluation, mdp: TabularMdp, name: str, policy: str
) -> None:
    """Four errors around the exact value of three steps, far from that of eight; .15 for the direct method."""
    judged = mdp.random_policy(2) if policy == "other" else mdp.random_policy(1, sharpness=0.7)
    report, truth = evaluation.report(policy, name), mdp.exact_value(judged, gamma=0.9, steps=N_STEPS)
    assert report.value is not None
    assert report.standard_error is not None
    assert abs(report.value - truth) < (0.15 if name == "dm" else 4 * report.standard_error)
    assert abs(mdp.exact_value(judged, gamma=0.9, steps=8) - truth) > 1
    assert report.share_cut == 0


def test_a_fitted_value_stands_for_the_rest_unless_told_otherwise(mdp: TabularMdp) -> None:
    """The same log with `fitted` gives the value of eight steps, of which five are the fit's word."""
    behavior = mdp.random_policy(1, sharpness=0.7)
    train, test = (mdp.log(behavior, n_episodes=2000, seed=seed, max_steps=N_STEPS) for seed in (0, 1))
    found = evaluate_policies({}, train=train, test=test, settings=replace(SETTINGS, after_cut="fitted"))
    value = found.report(BEHAVIOR, "dr").value
    assert value is not None
    assert value > mdp.exact_value(behavior, gamma=0.9, steps=N_STEPS) + 1


def test_steps_left_are_counted_from_the_end() -> None:
    """The last step has one left, what follows it none; more than the value runs over count as that many."""
    episodes = ended_at_cuts(timed((1, 3)))
    found, n = with_steps_left(episodes, 2), episodes.features.shape[1]
    assert found.features[:, n:].tolist() == [[1, 0], [0, 1], [0, 1], [1, 0]]
    assert found.next_features[:, n:].tolist() == [[0, 0], [0, 1], [1, 0], [0, 0]]
    assert np.array_equal(found.features[:, :n], episodes.features)


def test_policies_don_t_see_the_steps_left(mdp: TabularMdp) -> None:
    """A policy is asked with its own features."""
    policy, log = mdp.random_policy(1), mdp.log(mdp.random_policy(1), n_episodes=50, seed=1, max_steps=N_STEPS)
    wider, n = with_steps_left(ended_at_cuts(log), 5), log.features.shape[1]
    wrapped = OnOwnFeatures(policy, n)
    assert np.array_equal(
        wrapped.probabilities(wider.features, log.mask()), policy.probabilities(log.features, log.mask())
    )
    assert wrapped.version == policy.version


def test_episodes_that_end_by_themselves_are_refused() -> None:
    """How many steps are left of them would tell when a shopper leaves."""
    with pytest.raises(EvaluationError, match="2 of 2 episodes end by themselves"):
        ended_at_cuts(make_logged_episodes((2, 3)))


def timed(lengths: tuple[int, ...]) -> LoggedEpisodes:
    """Episodes that time ends."""
    made = make_logged_episodes(lengths)
    return replace(made, terminal=made.timeout, timeout=made.terminal)
