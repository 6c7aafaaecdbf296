"""Several Q-functions fitted in one pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.q_functions.fqe import FittedQ, FqeSettings, FqeTask, fit_fqe_together
from rl.ope.samples.behavior_value import OnlyAction, as_one_action
from tests.rl.ope.single_fit import fit_fqe
from tests.rl.ope.tabular_mdp import TablePolicy, TabularMdp, small_mdp

DISCOUNT = DiscountFunction(0.9)
SHORT = FqeSettings(n_updates=60, n_rounds=6, batch_size=256, hidden=(16, 16))
EYE = np.eye(4, dtype=np.float32)


@pytest.fixture(scope="module")
def mdp() -> TabularMdp:
    return small_mdp()


@pytest.fixture(scope="module")
def log(mdp: TabularMdp) -> LoggedEpisodes:
    """1,500 episodes, a quarter of them cut after four steps."""
    return mdp.log(mdp.random_policy(1), n_episodes=1500, seed=3, max_steps=4)


def greedy(policy: TablePolicy) -> TablePolicy:
    """Always its likeliest action."""
    return TablePolicy(np.eye(policy.table.shape[1])[policy.table.argmax(axis=1)])


def some_policies(mdp: TabularMdp) -> list[TablePolicy]:
    return [mdp.random_policy(2), mdp.random_policy(3), greedy(mdp.random_policy(4))]


def together(log: LoggedEpisodes, policies: list[TablePolicy], settings: FqeSettings = SHORT) -> list[FittedQ]:
    tasks = [FqeTask(policy, log) for policy in policies]
    return fit_fqe_together(tasks, discount=DISCOUNT, settings=settings)


def values(fitted: FittedQ, mdp: TabularMdp) -> FloatArray:
    return fitted.q(EYE, mdp.mask)


@pytest.mark.parametrize("hidden", [(), (16,), (16, 8)])
def test_separate_networks_learn_what_each_learns_alone(
    mdp: TabularMdp, log: LoggedEpisodes, hidden: tuple[int, ...]
) -> None:
    """Values and learning curves agree with one-by-one fits to 1e-5, whatever the depth."""
    settings = replace(SHORT, hidden=hidden)
    policies = some_policies(mdp)
    for policy, fitted in zip(policies, together(log, policies, settings), strict=True):
        alone = fit_fqe(policy, log, discount=DISCOUNT, settings=settings)
        np.testing.assert_allclose(values(fitted, mdp), values(alone, mdp), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(fitted.curve, alone.curve, rtol=1e-5)


def test_merged_actions_and_another_outcome_fit_in_the_same_pass(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """The behavior policy's state values and a side metric's are as they are alone."""
    policy, merged, count = mdp.random_policy(2), as_one_action(log), np.ones(log.n_transitions)
    tasks = [
        FqeTask(policy, log),
        FqeTask(OnlyAction(), merged),
        FqeTask(policy, log, count),
    ]
    _, state_value, counting = fit_fqe_together(tasks, discount=DISCOUNT, settings=SHORT)
    only = np.ones((4, 1), dtype=bool)
    alone = fit_fqe(OnlyAction(), merged, discount=DISCOUNT, settings=SHORT)
    np.testing.assert_allclose(state_value.q(EYE, only), alone.q(EYE, only), rtol=1e-5, atol=1e-5)
    alone = fit_fqe(policy, log, discount=DISCOUNT, settings=SHORT, reward=count)
    np.testing.assert_allclose(values(counting, mdp), values(alone, mdp), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("networks", ["separate", "shared"])
def test_batched_fits_are_close_to_the_exact_values(mdp: TabularMdp, networks: Literal["separate", "shared"]) -> None:
    """Each policy's value is within 0.15 of the truth.

    Their values spread over 3; the log's own noise is about 1 / sqrt(2500 episodes), doubled where a policy prefers
    what was seldom logged.
    """
    log = mdp.log(mdp.random_policy(1), n_episodes=2500, seed=5, max_steps=4)
    settings = FqeSettings(n_updates=240, n_rounds=20, batch_size=256, hidden=(16, 16), networks=networks)
    policies = some_policies(mdp)
    for policy, fitted in zip(policies, together(log, policies, settings), strict=True):
        found = float(mdp.start @ (policy.table * values(fitted, mdp)).sum(axis=1))
        assert abs(found - mdp.exact_value(policy, gamma=0.9)) < 0.15


@pytest.mark.parametrize("networks", ["separate", "shared"])
def test_batched_fits_are_the_same_whether_probabilities_are_kept_or_recomputed(
    mdp: TabularMdp, log: LoggedEpisodes, networks: Literal["separate", "shared"]
) -> None:
    """The limit holds for all policies together, and only speed depends on it."""
    settings = replace(SHORT, networks=networks)
    # Enough for each policy by itself, too little for all three.
    scarce = replace(settings, max_probability_cells=log.n_transitions * log.n_actions)
    for kept, computed in zip(
        together(log, some_policies(mdp), settings), together(log, some_policies(mdp), scarce), strict=True
    ):
        np.testing.assert_array_equal(values(kept, mdp), values(computed, mdp))


@pytest.mark.parametrize("networks", ["separate", "shared"])
def test_actions_of_which_the_same_is_known_have_one_value(
    mdp: TabularMdp, log: LoggedEpisodes, networks: Literal["separate", "shared"]
) -> None:
    """Alone and beside a policy of merged actions, which has no attributes; told apart by them, values differ."""
    n = log.n_actions
    alike, apart = np.ones((n, 2), dtype=np.float32), np.eye(n, dtype=np.float32)
    tasks = [FqeTask(mdp.random_policy(2), log), FqeTask(OnlyAction(), as_one_action(log))]
    for attributes, is_same in ((alike, True), (apart, False)):
        settings = replace(SHORT, networks=networks, action_attributes=attributes)
        fitted, state_value = fit_fqe_together(tasks, discount=DISCOUNT, settings=settings)
        found = fitted.q(EYE, np.ones((4, n), dtype=bool))
        assert (np.ptp(found, axis=1).max() < 1e-5) == is_same
        assert state_value.q(EYE, np.ones((4, 1), dtype=bool)).shape == (4, 1)


def test_an_attribute_for_each_action_is_an_output_for_each(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """One-hot attributes give the numbers of a fit without any."""
    plain, by_attribute = (
        together(log, some_policies(mdp), settings)
        for settings in (SHORT, replace(SHORT, action_attributes=np.eye(log.n_actions, dtype=np.float32)))
    )
    for one, other in zip(plain, by_attribute, strict=True):
        np.testing.assert_allclose(values(one, mdp), values(other, mdp), rtol=1e-4, atol=1e-4)


def test_policies_on_other_rows_are_refused(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """Two splits can't be passed over at once."""
    other = mdp.log(mdp.random_policy(1), n_episodes=1500, seed=4, max_steps=4)
    tasks = [FqeTask(mdp.random_policy(2), episodes) for episodes in (log, other)]
    with pytest.raises(EvaluationError, match="on other rows"):
        fit_fqe_together(tasks, discount=DISCOUNT, settings=SHORT)


def test_a_diverging_batch_is_refused(mdp: TabularMdp, log: LoggedEpisodes) -> None:
    """One policy's values beyond all bounds are an error for the batch, not a number."""
    tasks = [
        FqeTask(mdp.random_policy(2), log, log.reward),
        FqeTask(mdp.random_policy(3), log, np.full(log.n_transitions, 1e200)),
    ]
    with pytest.raises(EvaluationError, match="diverged"):
        fit_fqe_together(tasks, discount=DISCOUNT, settings=replace(SHORT, learning_rate=1e30))
