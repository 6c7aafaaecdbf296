"""Fitted values and occupancies where decisions take different times: those of the semi-Markov decision process."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import MICROSECONDS_PER_DAY, FloatArray, LoggedEpisodes
from rl.ope.density_ratios.fitting import fit_density_ratios, with_density_ratios
from rl.ope.density_ratios.minimax import fit_basis, fit_minimax
from rl.ope.density_ratios.tabular import fit_tabular, index_states
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import standard_error
from rl.ope.q_functions.fqe import FqeSettings, FqeTask, fit_fqe_together
from rl.ope.samples.q_function import action_values
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.single_fit import fit_fqe
from tests.rl.ope.tabular_mdp import TablePolicy, TabularMdp, small_mdp

# What is decided in the first state takes a quarter of a day, in the last four days.
DAYS = np.array([0.25, 2.0, 0.5, 4.0])
PER_DAY = DiscountFunction(0.7, "day")
LINEAR = FqeSettings(method="linear", ridge=0.0)
MDP = small_mdp(noise=0.0)
LOGGER = MDP.random_policy(1, sharpness=0.7)
POLICY = MDP.random_policy(2, version="judged")


@dataclass(frozen=True)
class Solved:
    """Values of a policy by linear algebra: Q `(n_states, n_actions)`, and that of an episode."""

    q: FloatArray
    value: float


def solve(mdp: TabularMdp, policy: TablePolicy, start: FloatArray, factors: FloatArray) -> Solved:
    """Each state's action values satisfy Q = r + factor P v, where v is the policy's mean of Q."""
    dynamics = mdp.dynamics[:, :, :-1]
    flow = factors[:, None] * np.einsum("sa,sat->st", policy.table, dynamics)
    v = np.linalg.solve(np.eye(mdp.n_states) - flow, (policy.table * mdp.mean_reward).sum(axis=1))
    return Solved(mdp.mean_reward + factors[:, None] * (dynamics @ v), float(start @ v))


def timed_log(*, n_episodes: int, seed: int) -> LoggedEpisodes:
    """Episodes in which a decision takes as long as its state says; about one in eight is cut after five steps."""
    log = MDP.log(LOGGER, n_episodes=n_episodes, seed=seed, max_steps=5)
    days = DAYS[log.features.argmax(axis=1)]
    return replace(log, elapsed_microseconds=(days * MICROSECONDS_PER_DAY).astype(np.int64))


def counted(log: LoggedEpisodes) -> tuple[TabularMdp, FloatArray]:
    """The process as counted in the log, and its starts: what fits on the log can find out, and no more."""
    state, following = log.features.argmax(axis=1), log.next_features.argmax(axis=1)
    dynamics = np.zeros(MDP.dynamics.shape)
    np.add.at(dynamics, (state, log.action, np.where(log.terminal, MDP.n_states, following)), 1.0)
    dynamics /= np.maximum(dynamics.sum(axis=2, keepdims=True), 1)
    start = np.bincount(state[log.offsets[:-1]], minlength=MDP.n_states) / log.n_episodes
    return replace(MDP, dynamics=dynamics), start


LOG = timed_log(n_episodes=600, seed=0)
FACTORS = 0.7**DAYS
EVERY_STATE = np.eye(MDP.n_states, dtype=np.float32)


def test_linear_fit_is_exact_in_the_counted_process() -> None:
    """Of one-hot states, Q is that of the process as counted, to rounding; that of steps is another."""
    model, start = counted(LOG)
    fitted = fit_fqe(POLICY, LOG, discount=PER_DAY, settings=LINEAR)
    exact = solve(model, POLICY, start, FACTORS)
    np.testing.assert_allclose(fitted.q(EVERY_STATE, MDP.mask), np.where(MDP.mask, exact.q, 0), atol=1e-6)
    by_step = solve(model, POLICY, start, np.full(MDP.n_states, 0.7))
    assert np.abs(np.where(MDP.mask, by_step.q - exact.q, 0)).max() > 0.1


def test_neural_fits_come_close() -> None:
    """Of two policies fitted together, within .15 at every pair; values of steps are further off."""
    model, start = counted(LOG)
    settings = FqeSettings(n_updates=600, n_rounds=12, hidden=(32,), learning_rate=1e-2, batch_size=256)
    judged = (POLICY, MDP.random_policy(3, version="other"))
    fitted = fit_fqe_together([FqeTask(one, LOG) for one in judged], discount=PER_DAY, settings=settings)
    for policy, function in zip(judged, fitted, strict=True):
        exact, by_step = (
            np.where(MDP.mask, solve(model, policy, start, factors).q, 0) for factors in (FACTORS, np.full(4, 0.7))
        )
        assert np.abs(function.q(EVERY_STATE, MDP.mask) - exact).max() < 0.15
        assert np.abs(by_step - exact).max() > 0.3


def test_counted_occupancy_is_that_of_the_process() -> None:
    """Rewards weighted by counted ratios of states and actions add up to the value by linear algebra."""
    uncut = replace_cuts(LOG)
    model, start = counted(uncut)
    index = index_states(uncut, max_states=10)
    assert index is not None
    factors = PER_DAY.step_factors(uncut)
    chosen = np.ones(uncut.n_episodes, dtype=bool)
    found = fit_tabular(POLICY, uncut, chosen, index=index, factors=factors, steps=None)
    sample = replace(evaluation_sample(POLICY, uncut, discount=PER_DAY), density_ratios=found.ratios(POLICY, uncut))
    exact = solve(model, POLICY, start, FACTORS)
    assert ESTIMATORS["mis_sa"].per_unit_sums(sample).value() == pytest.approx(exact.value, rel=1e-9)
    flow = FACTORS[:, None] * np.einsum("sa,sat->st", POLICY.table, model.dynamics[:, :, :-1])
    assert found.expected_length == pytest.approx(np.linalg.solve(np.eye(4) - flow.T, start).sum())


def replace_cuts(log: LoggedEpisodes) -> LoggedEpisodes:
    """The same episodes, where what was cut ended."""
    return replace(log, terminal=log.terminal | log.timeout, timeout=np.zeros_like(log.timeout))


def test_linear_ratios_solve_the_same_flow() -> None:
    """On one-hot states, minimax ratios give the value by linear algebra, but for their small ridge and chance."""
    log = timed_log(n_episodes=4000, seed=3)
    basis = fit_basis(log.features, kind="linear")
    factors = PER_DAY.step_factors(log)
    chosen = np.ones(log.n_episodes, dtype=bool)
    found = fit_minimax(POLICY, log, chosen, basis=basis, factors=factors, ridge=1e-6)
    sample = replace(evaluation_sample(POLICY, log, discount=PER_DAY), density_ratios=found.ratios(POLICY, log))
    truth = solve(MDP, POLICY, MDP.start, FACTORS).value
    assert ESTIMATORS["mis_sa"].per_unit_sums(sample).value() == pytest.approx(truth, abs=0.12)
    exact, by_step = (solve(rewarded_alike(), POLICY, MDP.start, one).value for one in (FACTORS, np.full(4, 0.7)))
    assert found.expected_length == pytest.approx(exact, rel=0.015)
    assert found.expected_length != pytest.approx(by_step, rel=0.03)


def test_cross_fitted_occupancy_is_that_of_the_process() -> None:
    """Visits, discounted by the time before each, come within 1.5% of those by linear algebra; of steps they don't."""
    log = timed_log(n_episodes=4000, seed=3)
    found = fit_density_ratios(POLICY, log, discount=PER_DAY).ratios(POLICY, log).expected_length.mean()
    exact, by_step = (solve(rewarded_alike(), POLICY, MDP.start, one).value for one in (FACTORS, np.full(4, 0.7)))
    assert found == pytest.approx(exact, rel=0.015)
    assert found != pytest.approx(by_step, rel=0.03)


def rewarded_alike() -> TabularMdp:
    """The process with a reward of 1 for every decision: its value is the discounted number of decisions."""
    return replace(MDP, mean_reward=np.ones_like(MDP.mean_reward))


@pytest.mark.parametrize("name", ["dr", "wdr", "drl_s", "drl_sa"])
def test_corrected_estimates_find_the_true_value(name: str) -> None:
    """With a Q-function fitted on another log, within 4 standard errors of the exact value; that of steps is not."""
    test = timed_log(n_episodes=4000, seed=5)
    fitted = fit_fqe(POLICY, LOG, discount=PER_DAY, settings=LINEAR)
    sample = evaluation_sample(POLICY, test, discount=PER_DAY, values=action_values(fitted, POLICY, test))
    if ESTIMATORS[name].needs_density_ratios:
        sample = with_density_ratios(sample, POLICY, test, discount=PER_DAY, steps=None)
    sums = ESTIMATORS[name].per_unit_sums(sample)
    truth = solve(MDP, POLICY, MDP.start, FACTORS).value
    by_step = solve(MDP, POLICY, MDP.start, np.full(MDP.n_states, 0.7)).value
    assert abs(sums.value() - truth) < 4 * standard_error(sums)
    assert abs(sums.value() - by_step) > 4 * standard_error(sums)
