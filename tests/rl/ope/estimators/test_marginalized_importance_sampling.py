from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.density_ratios.fitting import fit_density_ratios
from rl.ope.estimators.registry import ESTIMATORS, MARGINALIZED_ESTIMATORS
from rl.ope.intervals.intervals import standard_error
from rl.ope.intervals.partial_sums import EstimationPlan, merged_parts, partial_sums, sums_in_batches
from rl.ope.samples.density_ratio import DensityRatios
from rl.ope.samples.q_function import ActionValues, action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.rl.ope.tabular_mdp import TablePolicy, TableQ, TabularMdp, episodes_of, reordered, small_mdp

GAMMA = 0.9
DISCOUNT = DiscountFunction(GAMMA)
MDP = small_mdp()
BEHAVIOR, POLICY = MDP.random_policy(1, sharpness=0.5), MDP.random_policy(2, sharpness=0.5)
DOUBLY_ROBUST = [name for name in MARGINALIZED_ESTIMATORS if ESTIMATORS[name].needs_values]
WEIGHTING = [name for name in MARGINALIZED_ESTIMATORS if not ESTIMATORS[name].needs_values]
HALF = TablePolicy(np.array([[0.5, 0.5]]))


def occupancy(mdp: TabularMdp, policy: TablePolicy, *, gamma: float) -> FloatArray:
    """Exact discounted visits per episode, `(n_states,)`."""
    flow = np.einsum("sa,sat->st", policy.table, mdp.dynamics[:, :, :-1])
    return np.asarray(np.linalg.solve(np.eye(mdp.n_states) - gamma * flow.T, mdp.start))


def exact_ratios(mdp: TabularMdp, behavior: TablePolicy, policy: TablePolicy, log: LoggedEpisodes) -> DensityRatios:
    """Ratios at the log's rows from closed-form occupancies."""
    visits = occupancy(mdp, policy, gamma=GAMMA)
    by_state = visits / occupancy(mdp, behavior, gamma=GAMMA)
    by_pair = by_state[:, None] * np.divide(policy.table, behavior.table, where=mdp.mask, out=np.zeros(mdp.mask.shape))
    state = log.features.argmax(axis=1)
    length = np.full(log.n_transitions, visits.sum())
    return DensityRatios(by_state[state], by_pair[state, log.action], length, 0.0, "exact")


def sample_with(
    log: LoggedEpisodes,
    ratios: DensityRatios | None,
    *,
    mdp: TabularMdp = MDP,
    policy: TablePolicy = POLICY,
    error: float = 0.0,
    steps: int | None = None,
) -> EvaluationSample:
    """A sample with the exact Q-function, or one that is wrong by a fixed pattern of the given size."""
    pattern = error * np.random.default_rng(3).normal(size=mdp.mask.shape)
    q = TableQ(mdp.exact_q(policy, gamma=GAMMA, steps=steps) + pattern)
    sample = evaluation_sample(policy, log, discount=DISCOUNT, steps=steps, values=action_values(q, policy, log))
    return replace(sample, density_ratios=ratios)


def value_of(name: str, sample: EvaluationSample) -> float:
    return ESTIMATORS[name].per_unit_sums(sample).value()


@cache
def large_log() -> LoggedEpisodes:
    return MDP.log(BEHAVIOR, n_episodes=40_000, seed=5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Ratios of actions are 2, 2 and 1; w(s) is 3, 2 and 1, w(s, a) is 5, 4 and 2; the length is 2.
        ("mis_s", (3 * 2 * 1 + 0.9 * 2 * 2 * 3 + 1 * 1 * 5) / 2),
        ("mis_sa", (5 * 1 + 0.9 * 4 * 3 + 2 * 5) / 2),
        ("snmis_s", 2 * (6 * 1 + 0.9 * 4 * 3 + 1 * 5) / (6 + 0.9 * 4 + 1)),
        ("snmis_sa", 2 * (5 * 1 + 0.9 * 4 * 3 + 2 * 5) / (5 + 0.9 * 4 + 2)),
        # Residuals: 1 + .9 * 2 - .5 and .9 (3 - 1.5) in the first episode, 5 - 4 in the second; V starts at 1 and 3.
        ("drl_s", (1 + 6 * 2.3 + 4 * 1.35 + 3 + 1 * 1) / 2),
        ("drl_sa", (1 + 5 * 2.3 + 4 * 1.35 + 3 + 2 * 1) / 2),
        ("sndrl_s", (1 + 3) / 2 + 2 * (6 * 2.3 + 4 * 1.35 + 1) / (6 + 0.9 * 4 + 1)),
        ("sndrl_sa", (1 + 3) / 2 + 2 * (5 * 2.3 + 4 * 1.35 + 2) / (5 + 0.9 * 4 + 2)),
    ],
)
def test_estimator_gives_the_value_computed_by_hand(name: str, expected: float) -> None:
    """Every estimator on two short episodes equals its formula written out."""
    log = episodes_of([[1, 3], [5]], [[0.25, 0.25], [0.5]])
    values = ActionValues(np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.5, 4.0]), np.zeros(3))
    ratios = DensityRatios(np.array([3.0, 2, 1]), np.array([5.0, 4, 2]), np.full(3, 2.0), 0.0, "made up")
    sample = evaluation_sample(HALF, log, discount=DISCOUNT, values=values)
    assert value_of(name, replace(sample, density_ratios=ratios)) == pytest.approx(expected)


@pytest.mark.parametrize("name", MARGINALIZED_ESTIMATORS)
def test_estimator_agrees_with_the_mean_return_of_the_log_itself(name: str) -> None:
    """The behavior policy's ratios are 1: its value is its mean return, whatever the state values."""
    log = MDP.log(BEHAVIOR, n_episodes=60, seed=0)
    guess = np.random.default_rng(1).normal(size=log.n_transitions)
    sample = evaluation_sample(None, log, discount=DISCOUNT, values=ActionValues(guess, guess, np.zeros(len(guess))))
    assert value_of(name, sample) == pytest.approx(value_of("on_policy", sample))


@pytest.mark.parametrize("name", ["mis_s", "mis_sa", "drl_s", "drl_sa"])
def test_exact_ratios_give_an_unbiased_estimate(name: str) -> None:
    """The mean of 400 estimates from 100 episodes each lies within 4 standard errors of the exact value; Q is wrong."""
    ratios = exact_ratios(MDP, BEHAVIOR, POLICY, large_log())
    sums = ESTIMATORS[name].per_unit_sums(sample_with(large_log(), ratios, error=1.0))
    estimates = sums.values(np.repeat(np.eye(400), 100, axis=1))
    error = estimates.std(ddof=1) / math.sqrt(len(estimates))
    assert abs(estimates.mean() - MDP.exact_value(POLICY, gamma=GAMMA)) < 4 * error < 0.12


@pytest.mark.parametrize("name", DOUBLY_ROBUST)
def test_exact_q_makes_up_for_wrong_ratios(name: str) -> None:
    """With ratios of 1 everywhere the doubly robust forms are right by Q alone, within 4 standard errors.

    Ratios of states are wrong then; that of the action stays in `_s`, and is dropped in `_sa`, where Q must do alone:
    its residuals have mean 0 at any weight.
    """
    ones = np.ones(large_log().n_transitions)
    sums = ESTIMATORS[name].per_unit_sums(sample_with(large_log(), DensityRatios(ones, ones, ones, 0.0, "wrong")))
    assert abs(sums.value() - MDP.exact_value(POLICY, gamma=GAMMA)) < 4 * standard_error(sums) < 0.12


@pytest.mark.parametrize("name", MARGINALIZED_ESTIMATORS)
def test_estimated_ratios_give_the_exact_value(name: str) -> None:
    """With ratios counted on 40,000 episodes and a wrong Q the estimate is within .05 of the exact value, 2.4.

    That is four standard errors of the estimators whose noise is the reward's alone; ratios add no more at this size.
    """
    ratios = fit_density_ratios(POLICY, large_log(), discount=DISCOUNT).ratios(POLICY, large_log())
    found = value_of(name, sample_with(large_log(), ratios, error=1.0))
    assert found == pytest.approx(MDP.exact_value(POLICY, gamma=GAMMA), abs=0.05)


@pytest.mark.parametrize("name", WEIGHTING)
def test_long_episodes_leave_pdis_nothing_and_marginal_weights_enough(name: str) -> None:
    """Over episodes of 100 steps on average PDIS errs over five times as much as weighting by state.

    Relative root mean squared errors of 20 logs of 300 episodes, ratios estimated from the same logs: PDIS loses more
    than half of the value.
    """
    mdp = small_mdp(end_probability=0.01)
    behavior, policy = mdp.random_policy(1), mdp.random_policy(2)
    truth = mdp.exact_value(policy, gamma=1.0)
    errors: dict[str, list[float]] = {"pdis": [], name: []}
    for seed in range(20):
        log = mdp.log(behavior, n_episodes=300, seed=seed)
        ratios = fit_density_ratios(policy, log, discount=DiscountFunction(1.0)).ratios(policy, log)
        sample = replace(evaluation_sample(policy, log, discount=DiscountFunction(1.0)), density_ratios=ratios)
        for each, found in errors.items():
            found.append(value_of(each, sample) / truth - 1)
    rmse = {each: float(np.sqrt(np.square(found).mean())) for each, found in errors.items()}
    assert rmse[name] < 0.1
    assert rmse["pdis"] > max(0.5, 5 * rmse[name])


@pytest.mark.parametrize("name", MARGINALIZED_ESTIMATORS)
def test_estimator_looks_past_a_cut(name: str) -> None:
    """Episodes cut after four steps lose nothing: ratios count visits on past the cut, and so does Q."""
    mdp = small_mdp(end_probability=0.1)
    log = mdp.log(BEHAVIOR, n_episodes=20_000, seed=8, max_steps=4)
    ratios = fit_density_ratios(POLICY, log, discount=DISCOUNT).ratios(POLICY, log)
    found = value_of(name, sample_with(log, ratios, mdp=mdp))
    truth = mdp.exact_value(POLICY, gamma=GAMMA)
    assert value_of("pdis", sample_with(log, ratios, mdp=mdp)) < 0.7 * truth
    assert found == pytest.approx(truth, rel=0.03)


@pytest.mark.parametrize("name", MARGINALIZED_ESTIMATORS)
def test_values_over_three_steps_have_ratios_by_step(name: str) -> None:
    """A value over three steps is the exact one of three steps, on logs that go on and with Q of the wrong horizon."""
    mdp = small_mdp(end_probability=0.1)
    log = mdp.log(BEHAVIOR, n_episodes=20_000, seed=9)
    ratios = fit_density_ratios(POLICY, log, discount=DISCOUNT, steps=3).ratios(POLICY, log)
    sample = evaluation_sample(
        POLICY,
        log,
        discount=DISCOUNT,
        steps=3,
        values=action_values(TableQ(mdp.exact_q(POLICY, gamma=GAMMA) + 0.2), POLICY, log),
    )
    sample = replace(sample, density_ratios=ratios.rows(log.step < 3))
    assert value_of(name, sample) == pytest.approx(mdp.exact_value(POLICY, gamma=GAMMA, steps=3), rel=0.03)


@pytest.mark.parametrize("name", MARGINALIZED_ESTIMATORS)
def test_parts_and_batches_hold_the_sums_of_the_whole(name: str) -> None:
    """With one fitted model for all parts, merged sums and sums in batches are those of one computation."""
    log = MDP.log(BEHAVIOR, n_episodes=90, seed=4, n_units=30, max_steps=7)
    model = fit_density_ratios(POLICY, log, discount=DISCOUNT)
    q = TableQ(MDP.exact_q(POLICY, gamma=GAMMA) + 0.3)
    plan = EstimationPlan((name,), DISCOUNT, q_function=q, ratio_model=model)
    sample = evaluation_sample(POLICY, log, discount=DISCOUNT, values=action_values(q, POLICY, log))
    whole = ESTIMATORS[name].per_unit_sums(replace(sample, density_ratios=model.ratios(POLICY, log)))
    groups = np.split(np.random.default_rng(0).permutation(90), [20, 55])
    parts = [partial_sums(POLICY, reordered(log, group), plan) for group in groups]
    for found in (merged_parts(parts).require(name), sums_in_batches(POLICY, log, plan, max_rows=30).require(name)):
        np.testing.assert_array_equal(found.unit_ids, whole.unit_ids)
        np.testing.assert_allclose(found.influence(), whole.influence(), rtol=1e-9, atol=1e-9)
        assert found.value() == pytest.approx(whole.value(), rel=1e-9)


@pytest.mark.parametrize("name", MARGINALIZED_ESTIMATORS)
def test_estimator_refuses_without_ratios(name: str) -> None:
    """No ratios, no value; with the reason of their fit where there is one."""
    log = MDP.log(BEHAVIOR, n_episodes=10, seed=0)
    with pytest.raises(UnsupportedEstimator, match="no density ratios were estimated"):
        value_of(name, sample_with(log, None))
    with pytest.raises(UnsupportedEstimator, match="too many to count"):
        value_of(name, replace(sample_with(log, None), ratio_refusal="states are too many to count"))


@pytest.mark.parametrize("name", MARGINALIZED_ESTIMATORS)
@pytest.mark.parametrize(("propensity", "reason"), [(np.nan, "no propensities"), (1.0, "deterministic")])
def test_estimator_refuses_unweightable_logs(name: str, propensity: float, reason: str) -> None:
    """Implied and deterministic logs are refused with the reason, though ratios be given."""
    log = episodes_of([[1, 2], [3]], [[propensity, propensity], [propensity]])
    ones = np.ones(3)
    sample = evaluation_sample(HALF, log, discount=DISCOUNT, values=ActionValues(ones, ones, ones * 0))
    with pytest.raises(UnsupportedEstimator, match=reason):
        value_of(name, replace(sample, density_ratios=DensityRatios(ones, ones, ones, 0.0, "given")))


@pytest.mark.parametrize("name", ["snmis_s", "snmis_sa", "sndrl_s", "sndrl_sa"])
def test_self_normalised_estimator_refuses_ratios_of_nothing(name: str) -> None:
    """A policy that meets no logged state has no weighted mean."""
    log = MDP.log(BEHAVIOR, n_episodes=10, seed=0)
    nothing = np.zeros(log.n_transitions)
    with pytest.raises(UnsupportedEstimator, match="every importance weight is 0"):
        value_of(name, sample_with(log, DensityRatios(nothing, nothing, nothing, 1.0, "given")))


@pytest.mark.parametrize("name", MARGINALIZED_ESTIMATORS)
def test_ratios_of_states_alone_serve_estimators_by_state(name: str) -> None:
    """Those by state and action refuse with the reason that the ratios came with; the others give a value."""
    log = large_log()
    ones = np.ones(log.n_transitions)
    sample = sample_with(log, DensityRatios(ones, 0 * ones, ones, 0.0, "given", "too many pairs"))
    if name.endswith("_s"):
        assert np.isfinite(value_of(name, sample))
    else:
        with pytest.raises(UnsupportedEstimator, match="too many pairs"):
            value_of(name, sample)


def test_ratios_that_are_not_finite_are_refused() -> None:
    """Rows are named."""
    ones = np.ones(3)
    with pytest.raises(EvaluationError, match=r"rows \[1\] have a density ratio that is not finite"):
        DensityRatios(ones, np.array([1, np.inf, 1]), ones, 0.0, "given")
