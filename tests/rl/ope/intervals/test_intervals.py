from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import (
    Resampling,
    bootstrap_values,
    cautious_bounds,
    n_draws_for,
    percentile_interval,
    percentile_intervals,
    relative_increase,
    skew_corrected_interval,
    standard_error,
    student_interval,
    unit_weights,
)
from rl.ope.intervals.sums import RatioSums, difference
from rl.ope.samples.q_function import action_values
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.tabular_mdp import TablePolicy, TableQ, episodes_of, reordered, small_mdp

HALF = TablePolicy(np.array([[0.5, 0.5]]))
DRAWS = Resampling(n_draws=2000, seed=1)


def mean_sums(values: FloatArray) -> RatioSums:
    """Sums whose value is the plain mean of one value per unit."""
    return RatioSums(np.arange(len(values)), np.asarray(values, dtype=np.float64)[:, None], np.ones((len(values), 1)))


def normal_values(n: int = 400, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(3.0, 2.0, size=n)


@pytest.mark.parametrize("scheme", ["poisson", "multinomial"])
def test_unit_weights_are_those_of_resampling(scheme: str) -> None:
    """Weights have mean 1 and variance about 1; multinomial draws always have as many units as there are."""
    weights = np.concatenate(list(unit_weights(200, replace(DRAWS, scheme=scheme))))  # type: ignore[arg-type]
    assert weights.shape == (2000, 200)
    assert weights.mean() == pytest.approx(1, abs=0.01)
    assert weights.var() == pytest.approx(1, abs=0.02)
    if scheme == "multinomial":
        assert (weights.sum(axis=1) == 200).all()


def test_poisson_weights_follow_the_poisson_distribution() -> None:
    """Shares of 0 to 4 draws are e^-1 / k! within 4 standard errors of 400,000 weights."""
    weights = np.concatenate(list(unit_weights(200, DRAWS)))
    for k in range(5):
        expected = math.exp(-1) / math.factorial(k)
        assert abs((weights == k).mean() - expected) < 4 * math.sqrt(expected / weights.size)


@pytest.mark.parametrize("scheme", ["poisson", "multinomial"])
def test_percentile_interval_of_a_mean_matches_theory(scheme: str) -> None:
    """On a normal mean the bounds lie within 8% of the textbook half-width (2,000 draws of 400 units)."""
    values = normal_values()
    found = percentile_interval(mean_sums(values), level=0.95, resampling=replace(DRAWS, scheme=scheme))  # type: ignore[arg-type]
    half_width = norm.ppf(0.975) * values.std() / math.sqrt(len(values))
    assert found.upper - found.value == pytest.approx(half_width, rel=0.08)
    assert found.value - found.lower == pytest.approx(half_width, rel=0.08)
    assert found.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(len(values)))


def test_intervals_made_together_are_those_made_one_by_one() -> None:
    """Several estimates on the same units share draws, and each interval is what it would have been alone."""
    many = [mean_sums(normal_values(seed=seed)) for seed in range(3)]
    together = percentile_intervals(many, level=0.9, resampling=DRAWS)
    assert together == tuple(percentile_interval(sums, level=0.9, resampling=DRAWS) for sums in many)
    assert percentile_intervals([], level=0.9, resampling=DRAWS) == ()


def test_intervals_made_together_refuse_other_units() -> None:
    """Draws of 400 units can't stand for draws of 399."""
    with pytest.raises(EvaluationError, match=r"\[399, 400\] units"):
        percentile_intervals([mean_sums(normal_values(n)) for n in (400, 399)], level=0.9, resampling=DRAWS)


def test_student_interval_is_the_textbook_one() -> None:
    """For a mean of five values the delta method is the t interval with 4 degrees of freedom."""
    found = student_interval(mean_sums(np.array([1.0, 2.0, 3.0, 4.0, 5.0])), level=0.95)
    assert found.upper - 3 == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)
    assert found.lower == pytest.approx(6 - found.upper)


@pytest.mark.parametrize("method", ["bootstrap", "student"])
def test_interval_widens_when_each_shopper_is_logged_twice_over(method: str) -> None:
    """Intervals cluster by shopper: four identical sessions per shopper give the width of one session each.

    Taken as independent they would look half as wide; that is what goes wrong when sessions are resampled.
    """
    rewards = np.random.default_rng(0).normal(size=100)
    log = episodes_of([[r] for r in np.repeat(rewards, 4)], [[0.5]] * 400)
    once = episodes_of([[r] for r in rewards], [[0.5]] * 100)
    widths = []
    for episodes in (once, replace(log, unit=np.repeat(np.arange(100), 4)), log):
        sums = ESTIMATORS["wpdis"].per_unit_sums(evaluation_sample(HALF, episodes, discount=DiscountFunction(1.0)))
        found = (
            percentile_interval(sums, level=0.95, resampling=DRAWS)
            if method == "bootstrap"
            else student_interval(sums, level=0.95)
        )
        widths.append(found.upper - found.lower)
    single, clustered, as_if_independent = widths
    assert clustered == pytest.approx(single, rel=1e-6)
    assert as_if_independent == pytest.approx(single / 2, rel=0.1)


def test_bootstrap_renormalises_in_each_draw() -> None:
    """Equal rewards give the same self-normalised value in every draw, whatever the weights drawn.

    Resampling terms that were normalised once over the whole sample would scatter around it instead.
    """
    log = episodes_of([[2.0]] * 30, [[p] for p in np.linspace(0.1, 0.9, 30)])
    sums = ESTIMATORS["wis"].per_unit_sums(evaluation_sample(HALF, log, discount=DiscountFunction(1.0)))
    np.testing.assert_allclose(bootstrap_values(sums, DRAWS), 2.0)
    assert standard_error(sums) == pytest.approx(0, abs=1e-12)
    plain = ESTIMATORS["tis"].per_unit_sums(evaluation_sample(HALF, log, discount=DiscountFunction(1.0)))
    assert bootstrap_values(plain, DRAWS).std() > 0.1


def test_bootstrap_draws_equal_the_estimator_on_the_resampled_log() -> None:
    """A draw's value is what the estimator gives on a log that holds each shopper as often as drawn."""
    mdp = small_mdp()
    log = mdp.log(mdp.random_policy(1), n_episodes=8, seed=0)
    policy = mdp.random_policy(2)
    sums = ESTIMATORS["wpdis"].per_unit_sums(evaluation_sample(policy, log, discount=DiscountFunction(0.9)))
    counts = next(unit_weights(8, Resampling(n_draws=1, seed=4, scheme="multinomial")))
    drawn = np.repeat(np.arange(8), counts[0].astype(int))
    again = replace(reordered(log, drawn), unit=np.arange(len(drawn)))
    sample = evaluation_sample(policy, again, discount=DiscountFunction(0.9))
    expected = ESTIMATORS["wpdis"].per_unit_sums(sample).value()
    assert sums.values(counts)[0] == pytest.approx(expected)


def test_paired_difference_is_much_sharper_than_two_intervals() -> None:
    """On the same shoppers what both policies share cancels: a constant lead has no uncertainty at all."""
    values = normal_values()
    found = percentile_interval(difference(mean_sums(values + 0.1), mean_sums(values)), level=0.95, resampling=DRAWS)
    assert found.lower == pytest.approx(0.1)
    assert found.upper == pytest.approx(0.1)


def test_paired_difference_takes_the_same_draws_on_both_sides() -> None:
    """Draws of the difference are differences of draws."""
    first, second = mean_sums(normal_values(seed=1)), mean_sums(normal_values(seed=2))
    np.testing.assert_allclose(
        bootstrap_values(difference(first, second), DRAWS),
        bootstrap_values(first, DRAWS) - bootstrap_values(second, DRAWS),
        atol=1e-12,
    )


def test_paired_difference_refuses_other_units() -> None:
    """Two policies judged on different shoppers can't be paired."""
    other = replace(mean_sums(np.ones(3)), unit_ids=np.array([5, 6, 7]))
    with pytest.raises(EvaluationError, match="same units"):
        difference(mean_sums(np.ones(3)), other)


@pytest.mark.parametrize("n_units", [12, 2000])
def test_cautious_bounds_are_never_inside_any_method(n_units: int) -> None:
    """At a one-sided level of 0.003 the bound is the widest of bootstrap and both Students, with draws enough."""
    sums = mean_sums(np.random.default_rng(1).exponential(size=n_units))
    found = cautious_bounds(sums, alpha=0.003, resampling=Resampling(n_draws=100))
    draws = bootstrap_values(sums, Resampling(n_draws=n_draws_for(0.003)))
    student = student_interval(sums, level=0.994)
    skewed = skew_corrected_interval(sums, level=0.994)
    assert found.lower == min(np.quantile(draws, 0.003), student.lower, skewed.lower)
    assert found.upper == max(np.quantile(draws, 0.997), student.upper, skewed.upper)


def test_skew_corrected_interval_reaches_further_towards_the_long_tail() -> None:
    """Of exponential values the upper arm grows by as much as the lower one shrinks; normal ones keep Student's."""
    skewed = mean_sums(np.random.default_rng(2).exponential(size=300))
    plain, found = student_interval(skewed, level=0.98), skew_corrected_interval(skewed, level=0.98)
    assert found.upper - plain.upper == pytest.approx(found.lower - plain.lower)
    assert found.upper > plain.upper
    symmetric = mean_sums(np.concatenate([normal_values(), 6 - normal_values()]))
    assert skew_corrected_interval(symmetric, level=0.98).upper == pytest.approx(
        student_interval(symmetric, level=0.98).upper
    )


def test_skew_corrected_bound_misses_seldom_where_losses_are_rare_and_large() -> None:
    """1 shopper in 100 costs 100: the plain bound says of logs at random that there is a gain far too often.

    2,000 logs of 600 shoppers at a one-sided level of 1%: plain Student misses 5% of them or more, the corrected bound
    less than half as often.
    """
    losses = -100.0 * (np.random.default_rng(3).random((2000, 600)) < 0.01)
    plain, corrected = (
        sum(make(mean_sums(log), level=0.98).lower > -1.0 for log in losses)
        for make in (student_interval, skew_corrected_interval)
    )
    assert plain > 100
    assert corrected < plain / 2


def test_draws_grow_with_the_level() -> None:
    """About 30 draws lie beyond the bound; never fewer than asked, never more than 20,000."""
    assert (n_draws_for(0.003), n_draws_for(0.2), n_draws_for(1e-6)) == (10_000, 1000, 20_000)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_cautious_bounds_refuse_a_level_that_is_no_test(alpha: float) -> None:
    """A one-sided level lies between 0 and one half."""
    with pytest.raises(EvaluationError, match="outside"):
        cautious_bounds(mean_sums(np.arange(5.0)), alpha=alpha, resampling=DRAWS)


@pytest.mark.parametrize(
    "make", [lambda s: student_interval(s, level=0.9), lambda s: percentile_interval(s, level=0.9, resampling=DRAWS)]
)
def test_intervals_refuse_a_single_unit(make: object) -> None:
    """One shopper says nothing about how shoppers differ."""
    with pytest.raises(EvaluationError, match="at least two units"):
        make(mean_sums(np.ones(1)))  # type: ignore[operator]


def test_relative_increase_is_bounded_from_above() -> None:
    """A metric up by 20% on every shopper is bounded at 20%; noise moves the bound up."""
    values = np.abs(normal_values()) + 1
    exact = relative_increase(mean_sums(1.2 * values), mean_sums(values), alpha=0.025, resampling=DRAWS)
    assert exact.value == pytest.approx(0.2)
    assert exact.upper == pytest.approx(0.2)
    noisy = relative_increase(mean_sums(1.2 * values[::-1]), mean_sums(values), alpha=0.025, resampling=DRAWS)
    assert noisy.value == pytest.approx(0.2)
    assert 0.25 < noisy.upper < 0.6


def test_relative_increase_is_bounded_from_below() -> None:
    """A metric down by 20% on every shopper is bounded there; noise moves the bound down."""
    values = np.abs(normal_values()) + 1
    exact = relative_increase(mean_sums(0.8 * values), mean_sums(values), alpha=0.025, resampling=DRAWS)
    assert exact.lower == pytest.approx(-0.2)
    noisy = relative_increase(mean_sums(0.8 * values[::-1]), mean_sums(values), alpha=0.025, resampling=DRAWS)
    assert -0.5 < noisy.lower < -0.23


def test_relative_increase_bounds_both_ways_at_their_levels() -> None:
    """Over 400 logs of 150 shoppers each bound at 5% misses the true change of -10% in 2% to 8.5%.

    The binomial standard error at 400 logs is 1.1 points.
    """
    rng, misses = np.random.default_rng(8), np.zeros(2)
    for _ in range(400):
        before = rng.exponential(size=150) + 0.5
        after = 0.9 * before * rng.exponential(size=150)
        found = relative_increase(mean_sums(after), mean_sums(before), alpha=0.05, resampling=Resampling(n_draws=600))
        misses += np.array([found.lower > -0.1, found.upper < -0.1])
    assert ((misses >= 8) & (misses <= 34)).all()


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0, math.nan])
def test_relative_increase_refuses_a_level_that_is_none(alpha: float) -> None:
    """A one-sided level lies between 0 and a half."""
    with pytest.raises(EvaluationError, match="one-sided level"):
        relative_increase(mean_sums(np.ones(5)), mean_sums(np.ones(5)), alpha=alpha, resampling=DRAWS)


def test_relative_increase_is_unbounded_where_the_baseline_may_be_nil() -> None:
    """A single refund among 50 shoppers bounds nothing."""
    rare = np.zeros(50)
    rare[0] = 1.0
    found = relative_increase(mean_sums(rare[::-1]), mean_sums(rare), alpha=0.025, resampling=DRAWS)
    assert math.isinf(found.upper)
    assert found.lower == -1


def test_relative_increase_refuses_a_baseline_without_the_metric() -> None:
    """There is no share of nothing."""
    with pytest.raises(EvaluationError, match="not positive"):
        relative_increase(mean_sums(np.ones(5)), mean_sums(np.zeros(5)), alpha=0.025, resampling=DRAWS)


@pytest.mark.parametrize("name", ["on_policy", "dr", "wpdis"])
def test_percentile_intervals_cover_the_truth(name: str) -> None:
    """Over 200 logs of 300 episodes 95% intervals hold the exact value in 90% to 99% of cases.

    The binomial standard error at 200 logs is 1.5 points; DR has a wrong Q-function.
    """
    mdp = small_mdp()
    behavior, policy = mdp.random_policy(1, sharpness=0.5), mdp.random_policy(2, sharpness=0.5)
    judged = behavior if name == "on_policy" else policy
    log = mdp.log(behavior, n_episodes=60_000, seed=12)
    wrong_q = TableQ(mdp.exact_q(policy, gamma=0.9) + np.where(mdp.mask, 0.5, 0.0))
    values = action_values(wrong_q, policy, log)
    sums = ESTIMATORS[name].per_unit_sums(evaluation_sample(policy, log, discount=DiscountFunction(0.9), values=values))
    truth, covered = mdp.exact_value(judged, gamma=0.9), 0
    for start in range(0, 60_000, 300):
        part = RatioSums(np.arange(300), sums.numerators[start : start + 300], sums.denominators[start : start + 300])
        found = percentile_interval(part, level=0.95, resampling=Resampling(n_draws=400, seed=start))
        covered += found.lower <= truth <= found.upper
    assert 180 <= covered <= 198
