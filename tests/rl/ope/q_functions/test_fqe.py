from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.samples.behavior_value import OnlyAction, as_one_action
from tests.rl.ope.single_fit import fit_fqe
from tests.rl.ope.tabular_mdp import TablePolicy, TabularMdp, small_mdp

GAMMA = 0.9
DISCOUNT = DiscountFunction(GAMMA)
LINEAR = FqeSettings(method="linear", ridge=1e-9)
NEURAL = FqeSettings(n_updates=800, n_rounds=20, batch_size=512, hidden=(32, 32))


def empirical_mdp(log: LoggedEpisodes, mask: np.ndarray) -> TabularMdp:
    """The MDP whose dynamics and rewards are the log's own frequencies and means; timeouts lead on."""
    n_states = len(mask)
    state, following = log.features.argmax(axis=1), log.next_features.argmax(axis=1)
    following = np.where(log.terminal, n_states, following)
    counts = np.zeros((*mask.shape, n_states + 1))
    rewards = np.zeros(mask.shape)
    np.add.at(counts, (state, log.action, following), 1)
    np.add.at(rewards, (state, log.action), log.reward)
    seen = np.maximum(counts.sum(axis=2), 1)
    return TabularMdp(counts / seen[..., None], rewards / seen, mask, np.full(n_states, 1 / n_states))


def fitted_table(
    log: LoggedEpisodes, policy: TablePolicy, mdp: TabularMdp, settings: FqeSettings, *, steps: int | None = None
) -> FloatArray:
    fitted = fit_fqe(policy, log, discount=DISCOUNT, settings=settings, steps=steps)
    return fitted.q(np.eye(mdp.n_states, dtype=np.float32), mdp.mask)


@pytest.fixture(scope="module")
def mdp() -> TabularMdp:
    return small_mdp()


@pytest.fixture(scope="module")
def log(mdp: TabularMdp) -> LoggedEpisodes:
    """4,000 episodes, a quarter of them cut after four steps."""
    return mdp.log(mdp.random_policy(1), n_episodes=4000, seed=3, max_steps=4)


def test_linear_fqe_on_one_hot_features_is_the_exact_q(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """It equals dynamic programming on the log's own frequencies, cut episodes and masked actions included."""
    policy = mdp.random_policy(2)
    expected = empirical_mdp(log, mdp.mask).exact_q(policy, gamma=GAMMA)
    np.testing.assert_allclose(fitted_table(log, policy, mdp, LINEAR), np.where(mdp.mask, expected, 0), atol=1e-5)


def test_linear_fqe_approaches_the_true_q(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """Every action value is within 4 / sqrt(times logged) of the truth.

    A reward plus the next value has a standard deviation of about 1 here, and errors of next values average out.
    """
    policy = mdp.random_policy(2)
    truth = np.where(mdp.mask, mdp.exact_q(policy, gamma=GAMMA), 0)
    n_logged = np.zeros(mdp.mask.shape)
    np.add.at(n_logged, (log.features.argmax(axis=1), log.action), 1)
    tolerance = np.where(mdp.mask, 4 / np.sqrt(np.maximum(n_logged, 1)), 1e-9)
    assert tolerance.max() < 0.6
    assert (np.abs(fitted_table(log, policy, mdp, LINEAR) - truth) <= tolerance).all()


def test_linear_fqe_over_two_steps_is_the_two_step_value(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """`steps` bounds how far the linear fit looks ahead, exactly."""
    policy = mdp.random_policy(2)
    expected = empirical_mdp(log, mdp.mask).exact_q(policy, gamma=GAMMA, steps=2)
    found = fitted_table(log, policy, mdp, LINEAR, steps=2)
    np.testing.assert_allclose(found, np.where(mdp.mask, expected, 0), atol=1e-5)


def test_neural_fqe_is_close_to_the_exact_q(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """A small network lands within 0.1 of dynamic programming on the same log; values spread over 3."""
    policy = mdp.random_policy(2)
    expected = empirical_mdp(log, mdp.mask).exact_q(policy, gamma=GAMMA)
    np.testing.assert_allclose(fitted_table(log, policy, mdp, NEURAL), np.where(mdp.mask, expected, 0), atol=0.1)


def test_neural_fqe_repeats_itself_under_a_seed(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """Equal seeds give equal values, other seeds others, and torch's global state doesn't matter."""
    policy, short = mdp.random_policy(2), replace(NEURAL, n_updates=40, n_rounds=2)
    first, again = (fitted_table(log, policy, mdp, short) for _ in range(2))
    other = fitted_table(log, policy, mdp, replace(short, seed=1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("settings", [LINEAR, NEURAL], ids=["linear", "neural"])
def test_fqe_looks_past_a_timeout(mdp: TabularMdp, settings: FqeSettings) -> None:
    """When every episode is cut after one step the value is still that of whole episodes.

    A learner that took a cut for an end would report the mean reward alone, a distance of more than 1 here.
    """
    policy = mdp.random_policy(2)
    cut = mdp.log(mdp.random_policy(1), n_episodes=6000, seed=4, max_steps=1)
    truth = np.where(mdp.mask, mdp.exact_q(policy, gamma=GAMMA), 0)
    np.testing.assert_allclose(fitted_table(cut, policy, mdp, settings), truth, atol=0.3)
    assert np.abs(truth - np.where(mdp.mask, mdp.mean_reward, 0)).min(where=mdp.mask, initial=9) > 0.6


@pytest.mark.parametrize("settings", [LINEAR, replace(NEURAL, n_updates=60, n_rounds=3)], ids=["linear", "neural"])
def test_fqe_gives_the_same_whether_probabilities_are_kept_or_recomputed(
    mdp: TabularMdp, log: LoggedEpisodes, settings: FqeSettings
) -> None:
    """Keeping probabilities of all rows is a matter of speed alone."""
    policy = mdp.random_policy(2)
    kept = fitted_table(log, policy, mdp, settings)
    recomputed = fitted_table(log, policy, mdp, replace(settings, max_probability_cells=0))
    np.testing.assert_allclose(kept, recomputed, atol=1e-6)


def test_fqe_values_another_outcome(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """A side metric of 1 per decision is valued as the expected discounted number of decisions."""
    policy = mdp.random_policy(2)
    fitted = fit_fqe(policy, log, discount=DISCOUNT, settings=LINEAR, reward=np.ones(log.n_transitions))
    counting = replace(empirical_mdp(log, mdp.mask), mean_reward=np.ones(mdp.mask.shape))
    expected = np.where(mdp.mask, counting.exact_q(policy, gamma=GAMMA), 0)
    np.testing.assert_allclose(fitted.q(np.eye(4, dtype=np.float32), mdp.mask), expected, atol=1e-5)


def test_fqe_on_merged_actions_is_the_behavior_policys_state_value(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """The log itself, read as one action, yields V of the behavior policy within 0.1, without propensities."""
    merged = replace(as_one_action(log), propensity=np.full(log.n_transitions, np.nan))
    fitted = fit_fqe(OnlyAction(), merged, discount=DISCOUNT, settings=LINEAR)
    behavior = mdp.random_policy(1)
    truth = (behavior.table * mdp.exact_q(behavior, gamma=GAMMA)).sum(axis=1)
    found = fitted.q(np.eye(4, dtype=np.float32), np.ones((4, 1), dtype=bool))[:, 0]
    np.testing.assert_allclose(found, truth, atol=0.1)


def test_linear_fqe_values_unlogged_actions_like_the_pool(mdp: TabularMdp) -> None:
    """An action the log never holds gets the shared fit, not 0."""
    table = mdp.random_policy(1).table.copy()
    table[:, 0] += table[:, 2]
    table[:, 2] = 0
    log = mdp.log(TablePolicy(table), n_episodes=500, seed=2)
    found = fitted_table(log, TablePolicy(table), mdp, LINEAR)
    allowed = mdp.mask[:, 2]
    low, high = found[:, :2].min(axis=1), found[:, :2].max(axis=1)
    assert ((found[:, 2] >= low - 1e-6) & (found[:, 2] <= high + 1e-6))[allowed].all()


def test_fitted_q_states_what_it_is(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """The result carries policy, discount, steps and a curve with one loss per round."""
    fitted = fit_fqe(mdp.random_policy(2, version="cql-1"), log, discount=DISCOUNT, steps=4, settings=LINEAR)
    assert (fitted.policy_version, fitted.discount, fitted.steps, len(fitted.curve)) == ("cql-1", DISCOUNT, 4, 4)
    neural = fit_fqe(mdp.random_policy(2), log, discount=DISCOUNT, settings=replace(NEURAL, n_updates=10, n_rounds=5))
    assert len(neural.curve) == 5


def test_fqe_refuses_a_diverging_fit(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """Features on which iterated regression blows up are an error, not a number."""
    # A value linear in x whose next x is four times as large grows in every round (Tsitsiklis and Van Roy 1996).
    x = np.linspace(1, 2, log.n_transitions, dtype=np.float32)[:, None]
    growing = replace(as_one_action(log), features=x, next_features=4 * x)
    with pytest.raises(EvaluationError, match="diverged"):
        fit_fqe(OnlyAction(), growing, discount=DiscountFunction(1.0), settings=LINEAR)
