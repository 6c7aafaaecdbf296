from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.estimators.registry import ESTIMATORS, SEQUENTIAL_ESTIMATORS, estimator
from rl.ope.intervals.intervals import standard_error
from rl.ope.intervals.sums import merged
from rl.ope.samples.q_function import ActionValues, action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from tests.rl.ope.tabular_mdp import TablePolicy, TableQ, TabularMdp, episodes_of, reordered, small_mdp

GAMMA = 0.9
DISCOUNT = DiscountFunction(GAMMA)
HALF = TablePolicy(np.array([[0.5, 0.5]]))
WEIGHTED = [name for name in SEQUENTIAL_ESTIMATORS if ESTIMATORS[name].needs_weights]


def exact_sample(
    mdp: TabularMdp, policy: TablePolicy, log: LoggedEpisodes, *, steps: int | None = None, error: float = 0.0
) -> EvaluationSample:
    """A sample with the exact Q-function, or one that is wrong by a fixed pattern of the given size."""
    pattern = error * np.random.default_rng(3).normal(size=mdp.mask.shape)
    q = TableQ(mdp.exact_q(policy, gamma=GAMMA) + pattern)
    return evaluation_sample(policy, log, discount=DISCOUNT, steps=steps, values=action_values(q, policy, log))


def value_of(name: str, sample: EvaluationSample) -> float:
    return ESTIMATORS[name].per_unit_sums(sample).value()


def hand_sample() -> EvaluationSample:
    """Two episodes: weights (2, 4) with rewards (1, 3), and weight 1 with reward 5; Q made up."""
    log = episodes_of([[1, 3], [5]], [[0.25, 0.25], [0.5]])
    values = ActionValues(np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.5, 4.0]), np.zeros(3))
    return evaluation_sample(HALF, log, discount=DISCOUNT, values=values)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("on_policy", ((1 + 0.9 * 3) + 5) / 2),
        ("dm", (1 + 3) / 2),
        ("tis", (4 * (1 + 0.9 * 3) + 1 * 5) / 2),
        ("pdis", (2 * 1 + 0.9 * 4 * 3 + 5) / 2),
        ("wis", (4 * (1 + 0.9 * 3) + 5) / (4 + 1)),
        # At step 1 the ended episode keeps its weight 1 in the denominator.
        ("wpdis", (2 * 1 + 1 * 5) / (2 + 1) + 0.9 * 4 * 3 / (4 + 1)),
        ("dr", ((1 + 2 * (1 - 0.5) + 0.9 * (2 * 2 + 4 * (3 - 1.5))) + (3 + 1 * (5 - 4))) / 2),
        ("wdr", 4 / 2 + (2 * (1 - 0.5 + 0.9 * 2) + 1 * (5 - 4)) / 3 + 0.9 * 4 * (3 - 1.5) / 5),
    ],
)
def test_estimator_gives_the_value_computed_by_hand(name: str, expected: float) -> None:
    """Every estimator on two short episodes equals its formula written out."""
    assert value_of(name, hand_sample()) == pytest.approx(expected)


def test_one_step_estimators_reduce_to_their_bandit_forms() -> None:
    """On logged bandit feedback TIS = PDIS = IPS, WIS = WPDIS = SNIPS, and DR is the one-step doubly robust mean."""
    log = episodes_of([[1], [0], [4]], [[0.25], [0.5], [1.0]])
    values = ActionValues(np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.5, 2.0]), np.zeros(3))
    sample = evaluation_sample(HALF, log, discount=DISCOUNT, values=values)
    weight, reward = np.array([2, 1, 0.5]), np.array([1, 0, 4])
    assert value_of("tis", sample) == value_of("pdis", sample) == pytest.approx((weight * reward).mean())
    snips = (weight * reward).sum() / weight.sum()
    assert value_of("wis", sample) == pytest.approx(snips)
    assert value_of("wpdis", sample) == pytest.approx(snips)
    residual = reward - values.action_value
    assert value_of("dr", sample) == pytest.approx((values.value + weight * residual).mean())
    assert value_of("wdr", sample) == pytest.approx(values.value.mean() + (weight * residual).sum() / weight.sum())


@pytest.mark.parametrize("name", [name for name in SEQUENTIAL_ESTIMATORS if name != "dm"])
def test_estimators_agree_with_the_mean_return_when_all_weights_are_one(name: str) -> None:
    """On its own log the behavior policy's value is its mean return; Q cancels where V(s) = Q(s, a)."""
    mdp = small_mdp()
    log = mdp.log(mdp.random_policy(1), n_episodes=60, seed=0)
    guess = np.random.default_rng(1).normal(size=log.n_transitions)
    values = ActionValues(guess, guess, np.zeros(log.n_transitions))
    sample = evaluation_sample(None, log, discount=DISCOUNT, values=values)
    assert value_of(name, sample) == pytest.approx(value_of("on_policy", sample))


@pytest.mark.parametrize("name", ["tis", "pdis", "dr"])
def test_estimator_is_unbiased_over_replications(name: str) -> None:
    """The mean of 400 estimates from 100 episodes each lies within 4 standard errors of the exact value.

    DR gets a wrong Q-function: with correct propensities it must not matter. 4 standard errors fail by chance once
    in 16,000 runs, and the seed is fixed.
    """
    mdp = small_mdp()
    behavior, policy = mdp.random_policy(1, sharpness=0.5), mdp.random_policy(2, sharpness=0.5)
    log = mdp.log(behavior, n_episodes=40_000, seed=5)
    sums = ESTIMATORS[name].per_unit_sums(exact_sample(mdp, policy, log, error=1.0))
    estimates = sums.values(np.repeat(np.eye(400), 100, axis=1))
    error = estimates.std(ddof=1) / math.sqrt(len(estimates))
    assert abs(estimates.mean() - mdp.exact_value(policy, gamma=GAMMA)) < 4 * error
    assert error < 0.03  # else the line above could not fail


@pytest.mark.parametrize("name", ["wis", "wpdis", "wdr", "dm"])
def test_estimator_is_consistent(name: str) -> None:
    """On 40,000 episodes the self-normalised estimators, and DM with the exact Q, are within 4 standard errors."""
    mdp = small_mdp()
    behavior, policy = mdp.random_policy(1, sharpness=0.5), mdp.random_policy(2, sharpness=0.5)
    log = mdp.log(behavior, n_episodes=40_000, seed=6)
    sums = ESTIMATORS[name].per_unit_sums(exact_sample(mdp, policy, log, error=0.0 if name == "dm" else 1.0))
    error = standard_error(sums)
    assert abs(sums.value() - mdp.exact_value(policy, gamma=GAMMA)) < 4 * error
    assert error < 0.06


def test_dr_with_the_exact_q_varies_less_than_weighting_alone() -> None:
    """The Q-function removes variance: DR < PDIS < TIS in standard error on the same log."""
    mdp = small_mdp()
    log = mdp.log(mdp.random_policy(1), n_episodes=5000, seed=7)
    sample = exact_sample(mdp, mdp.random_policy(2), log)
    errors = {name: standard_error(ESTIMATORS[name].per_unit_sums(sample)) for name in ("tis", "pdis", "dr")}
    assert errors["dr"] < 0.8 * errors["pdis"] < 0.8 * errors["tis"]


@pytest.mark.parametrize("name", ["dr", "wdr", "dm"])
def test_estimators_with_values_look_past_a_cut(name: str) -> None:
    """Episodes cut after two steps lose nothing: with the exact Q the estimate is that of whole episodes."""
    mdp = small_mdp(end_probability=0.1)
    behavior, policy = mdp.random_policy(1), mdp.random_policy(2)
    log = mdp.log(behavior, n_episodes=20_000, seed=8, max_steps=2)
    sums = ESTIMATORS[name].per_unit_sums(exact_sample(mdp, policy, log))
    assert abs(sums.value() - mdp.exact_value(policy, gamma=GAMMA)) < 4 * standard_error(sums)


@pytest.mark.parametrize("name", ["pdis", "wpdis", "dr", "wdr"])
def test_values_over_two_steps_need_nothing_past_the_cut(name: str) -> None:
    """With steps = 2 an episode cut after two steps isn't cut, and the value is the exact one of two steps.

    The weighted mean over 20,000 episodes lies within 4 standard errors; Q is wrong on purpose.
    """
    mdp = small_mdp(end_probability=0.1)
    behavior, policy = mdp.random_policy(1), mdp.random_policy(2)
    for max_steps in (2, 1000):
        log = mdp.log(behavior, n_episodes=20_000, seed=9, max_steps=max_steps)
        sample = exact_sample(mdp, policy, log, steps=2, error=1.0)
        sums = ESTIMATORS[name].per_unit_sums(sample)
        assert abs(sums.value() - mdp.exact_value(policy, gamma=GAMMA, steps=2)) < 4 * standard_error(sums)
        assert not sample.is_cut.any()


def test_weighting_alone_misses_what_was_cut() -> None:
    """PDIS on cut episodes is the value of the steps seen, far below the whole one; the sample says they are cut."""
    mdp = small_mdp(end_probability=0.1)
    policy = mdp.random_policy(2)
    sample = exact_sample(mdp, policy, mdp.log(mdp.random_policy(1), n_episodes=20_000, seed=8, max_steps=2))
    assert sample.is_cut.mean() > 0.7
    assert value_of("pdis", sample) < 0.6 * mdp.exact_value(policy, gamma=GAMMA)


def test_values_ignore_unavailable_actions() -> None:
    """An absurd Q at masked actions changes nothing."""
    mdp = small_mdp()
    policy = mdp.random_policy(2)
    log = mdp.log(mdp.random_policy(1), n_episodes=100, seed=1, max_steps=3)
    q = mdp.exact_q(policy, gamma=GAMMA)
    absurd = np.where(mdp.mask, q, 1e9)
    plain, spoiled = (action_values(TableQ(table), policy, log) for table in (q, absurd))
    np.testing.assert_array_equal(plain.value, spoiled.value)
    np.testing.assert_array_equal(plain.next_value, spoiled.next_value)
    assert plain.next_value[log.timeout].all()
    assert not plain.next_value[~log.timeout].any()


@pytest.mark.parametrize("name", WEIGHTED)
@pytest.mark.parametrize(("propensity", "reason"), [(np.nan, "no propensities"), (1.0, "deterministic")])
def test_weighted_estimator_refuses_unweightable_logs(name: str, propensity: float, reason: str) -> None:
    """Implied and deterministic logs are refused with the reason; DM and the log's own mean are not."""
    log = episodes_of([[1, 2], [3]], [[propensity, propensity], [propensity]])
    values = ActionValues(np.ones(3), np.ones(3), np.zeros(3))
    sample = evaluation_sample(HALF, log, discount=DISCOUNT, values=values)
    with pytest.raises(UnsupportedEstimator, match=reason):
        ESTIMATORS[name].per_unit_sums(sample)
    assert value_of("dm", sample) == 1
    assert value_of("on_policy", sample) == pytest.approx((1 + 0.9 * 2 + 3) / 2)


@pytest.mark.parametrize("name", ["wis", "wpdis"])
def test_self_normalised_estimator_refuses_a_log_without_any_weight(name: str) -> None:
    """A policy that never does what the log did has no weighted mean."""
    never = TablePolicy(np.array([[0.0, 1.0]]))
    sample = evaluation_sample(never, episodes_of([[1], [2]], [[0.5], [0.5]]), discount=DISCOUNT)
    with pytest.raises(UnsupportedEstimator, match="every importance weight is 0"):
        ESTIMATORS[name].per_unit_sums(sample)


@pytest.mark.parametrize("name", [name for name in SEQUENTIAL_ESTIMATORS if ESTIMATORS[name].needs_values])
def test_estimator_with_values_refuses_without_a_q_function(name: str) -> None:
    """No Q-function, no value; with a reason."""
    sample = evaluation_sample(HALF, episodes_of([[1]], [[0.5]]), discount=DISCOUNT)
    with pytest.raises(UnsupportedEstimator, match="no Q-function"):
        ESTIMATORS[name].per_unit_sums(sample)


@pytest.mark.parametrize("name", SEQUENTIAL_ESTIMATORS)
def test_sums_of_two_parts_merge_to_those_of_the_whole(name: str) -> None:
    """A log split between machines gives the same value as the whole, although longest episodes differ."""
    mdp = small_mdp()
    policy = mdp.random_policy(2)
    log = mdp.log(mdp.random_policy(1), n_episodes=90, seed=4, n_units=30)
    short_first = np.argsort(log.lengths, kind="stable")
    whole = ESTIMATORS[name].per_unit_sums(exact_sample(mdp, policy, log, error=1.0))
    parts = [exact_sample(mdp, policy, reordered(log, half), error=1.0) for half in np.split(short_first, [45])]
    together = merged(*(ESTIMATORS[name].per_unit_sums(part) for part in parts))
    np.testing.assert_array_equal(together.unit_ids, whole.unit_ids)
    np.testing.assert_allclose(together.influence(), whole.influence(), atol=1e-9)
    assert together.value() == pytest.approx(whole.value())


def test_discount_per_day_follows_elapsed_time() -> None:
    """A reward half a day later counts the square root of the daily factor."""
    log = episodes_of([[1, 1, 1]], [[0.5] * 3], elapsed_microseconds=np.array([43_200, 86_400, 7]) * 1_000_000)
    sample = evaluation_sample(HALF, log, discount=DiscountFunction(0.81, "day"))
    np.testing.assert_allclose(sample.discount, [1, 0.9, 0.9 * 0.81])


def test_clip_limits_the_influence_of_one_episode() -> None:
    """With a clip of 1 PDIS uses weights of at most 1."""
    log = episodes_of([[1, 3], [5]], [[0.25, 0.25], [0.5]])
    sample = evaluation_sample(HALF, log, discount=DISCOUNT, clip=1.0)
    assert value_of("pdis", sample) == pytest.approx(((1 + 0.9 * 3) + 5) / 2)


def test_units_that_come_twice_are_summed() -> None:
    """Episodes of one shopper share a row of sums, and the value stays per episode."""
    log = replace(episodes_of([[1], [3], [8]], [[0.5], [0.5], [0.5]]), unit=np.array([7, 7, 2]))
    sums = ESTIMATORS["on_policy"].per_unit_sums(evaluation_sample(HALF, log, discount=DISCOUNT))
    np.testing.assert_array_equal(sums.unit_ids, [2, 7])
    np.testing.assert_array_equal(sums.numerators[:, 0], [8, 4])
    assert sums.value() == 4


def test_unknown_estimator_is_refused_with_a_suggestion() -> None:
    """A typo names the closest estimator."""
    with pytest.raises(EvaluationError, match="did you mean wpdis"):
        estimator("wpdsi")


def test_an_empty_split_is_refused() -> None:
    """There is no value of no episodes."""
    log = episodes_of([[1]], [[0.5]])
    empty = replace(
        log,
        **{
            name: getattr(log, name)[:0]
            for name in (
                "features",
                "next_features",
                "action",
                "reward",
                "terminal",
                "timeout",
                "propensity",
                "mask_index",
                "next_mask_index",
                "unit",
                "start_time",
                "elapsed_microseconds",
                "policy_version",
            )
        },
        offsets=np.array([0]),
    )
    with pytest.raises(EvaluationError, match="no episodes"):
        evaluation_sample(HALF, empty, discount=DISCOUNT)
