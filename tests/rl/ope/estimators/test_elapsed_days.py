"""Estimates per elapsed day, worked out by hand on one episode with gaps of half a day and of two days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import MICROSECONDS_PER_DAY, LoggedEpisodes
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.returns.weighted_returns import weighted_returns
from rl.ope.samples.density_ratio import DensityRatios
from rl.ope.samples.episode_products import cumulative_products, shifted_products
from rl.ope.samples.q_function import ActionValues
from rl.ope.samples.sample import EvaluationSample, evaluation_sample
from rl.worth.crossfit import returns_to_go
from tests.rl.ope.tabular_mdp import TablePolicy, episodes_of

PER_DAY = DiscountFunction(0.81, "day")
HALF = TablePolicy(np.array([[0.5, 0.5]]))
# Of the rewards: .81 to the power of 0, .5 and 2.5 days. Ratios are 2, .5 and 4, so cumulative weights 2, 1 and 4; the
# second episode is one step of weight 1.
FIRST, SECOND, THIRD = 1.0, 0.9, 0.59049
BY_HAND = {
    "on_policy": ((1 + SECOND * 2 + THIRD * 3) + 5) / 2,
    "dm": (4 + 6) / 2,
    "tis": (4 * (1 + SECOND * 2 + THIRD * 3) + 5) / 2,
    "pdis": ((2 * 1 + SECOND * 1 * 2 + THIRD * 4 * 3) + 5) / 2,
    "wis": (4 * (1 + SECOND * 2 + THIRD * 3) + 5) / (4 + 1),
    "wpdis": (2 * 1 + 5) / (2 + 1) + SECOND * 1 * 2 / (1 + 1) + THIRD * 4 * 3 / (4 + 1),
    # V is 4, 3, 2 and 6; Q of the logged action half a point less each.
    "dr": ((1 * 4 - 2 * 2.5) + SECOND * (2 * 3 - 1 * 0.5) + THIRD * (1 * 2 + 4 * 1.5) + (6 - 0.5)) / 2,
    "wdr": (4 + 6) / 2
    + (2 * (-2.5 + SECOND * 3) - 0.5) / (2 + 1)
    + 1 * (-SECOND * 0.5 + THIRD * 2) / (1 + 1)
    + 4 * THIRD * 1.5 / (4 + 1),
    # Ratios of states are 1, 2, .5 and 1.5, so times those of actions 2, 1, 2 and 1.5; of pairs 2, 1, 3 and 1.25.
    "mis_s": ((2 * 1 + SECOND * 1 * 2 + THIRD * 2 * 3) + 1.5 * 5) / 2,
    "mis_sa": ((2 * 1 + SECOND * 1 * 2 + THIRD * 3 * 3) + 1.25 * 5) / 2,
    "snmis_s": 2 * (2 * 1 + SECOND * 2 + THIRD * 2 * 3 + 1.5 * 5) / (2 + SECOND + THIRD * 2 + 1.5),
    "snmis_sa": 2 * (2 * 1 + SECOND * 2 + THIRD * 3 * 3 + 1.25 * 5) / (2 + SECOND + THIRD * 3 + 1.25),
    "drl_s": ((4 + 2 * (-2.5 + SECOND * 3) + 1 * (-SECOND * 0.5 + THIRD * 2) + 2 * THIRD * 1.5) + (6 - 1.5 * 0.5)) / 2,
    "drl_sa": ((4 + 2 * (-2.5 + SECOND * 3) + 1 * (-SECOND * 0.5 + THIRD * 2) + 3 * THIRD * 1.5) + (6 - 1.25 * 0.5))
    / 2,
    "sndrl_s": (4 + 6) / 2
    + 2
    * (2 * (-2.5 + SECOND * 3) + 1 * (-SECOND * 0.5 + THIRD * 2) + 2 * THIRD * 1.5 - 1.5 * 0.5)
    / (2 + SECOND + THIRD * 2 + 1.5),
    "sndrl_sa": (4 + 6) / 2
    + 2
    * (2 * (-2.5 + SECOND * 3) + 1 * (-SECOND * 0.5 + THIRD * 2) + 3 * THIRD * 1.5 - 1.25 * 0.5)
    / (2 + SECOND + THIRD * 3 + 1.25),
}
ONE_STEP = {name for name, entry in ESTIMATORS.items() if entry.is_one_step}
DISCOUNTED = sorted(set(BY_HAND) - {"dm"})


def log(*, is_cut: bool = False) -> LoggedEpisodes:
    """Rewards 1, 2 and 3 with gaps of half a day, two days and, to the closing, one; and an episode of one step."""
    made = episodes_of(
        [[1, 2, 3], [5]],
        [[0.25, 1.0, 0.125], [0.5]],
        elapsed_microseconds=np.array([1, 4, 2, 2]) * (MICROSECONDS_PER_DAY // 2),
    )
    if not is_cut:
        return made
    cut = np.array([False, False, True, False])
    return replace(made, terminal=made.terminal & ~cut, timeout=cut)


def sample_of(episodes: LoggedEpisodes, discount: DiscountFunction = PER_DAY) -> EvaluationSample:
    value, after_cut = np.array([4.0, 3, 2, 6]), np.where(episodes.timeout, 10.0, 0.0)
    sample = evaluation_sample(HALF, episodes, discount=discount, values=ActionValues(value, value - 0.5, after_cut))
    # Q of the logged action is 3.5, 2.5, 1.5 and 5.5.
    state, pair = np.array([1.0, 2, 0.5, 1.5]), np.array([2.0, 1, 3, 1.25])
    return replace(sample, density_ratios=DensityRatios(state, pair, np.full(4, 2.0), 0.0, "by hand"))


def value_of(name: str, sample: EvaluationSample) -> float:
    return ESTIMATORS[name].per_unit_sums(sample).value()


def test_every_estimator_of_longer_episodes_is_worked_out() -> None:
    """A new estimator is worked out here too."""
    assert set(BY_HAND) == set(ESTIMATORS) - ONE_STEP


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_estimate_is_that_worked_out_by_hand(name: str) -> None:
    """Rewards count by the days since the episode's first decision, to rounding."""
    assert value_of(name, sample_of(log())) == pytest.approx(BY_HAND[name], rel=1e-14)


@pytest.mark.parametrize("name", DISCOUNTED)
def test_an_estimator_that_counted_steps_would_be_caught(name: str) -> None:
    """Planted: gamma to the power of the step, in this estimator alone. Its figure is another, far beyond rounding."""
    sample, episodes = sample_of(log()), log()
    by_step = 0.81 ** episodes.step.astype(np.float64)
    planted = replace(sample, discount=by_step, next_discount=by_step * 0.81)
    assert abs(value_of(name, planted) / BY_HAND[name] - 1) > 1e-4


@pytest.mark.parametrize("name", ["dr", "wdr", "drl_s", "sndrl_sa"])
def test_value_after_a_cut_counts_by_the_days_until_the_closing(name: str) -> None:
    """The cut comes a day after the third reward: what follows counts .81 of it, times the row's weight."""
    added = {"dr": 4 / 2, "wdr": 4 / (4 + 1), "drl_s": 2 / 2, "sndrl_sa": 2 * 3 / (2 + SECOND + THIRD * 3 + 1.25)}
    after_cut = value_of(name, sample_of(log(is_cut=True)))
    assert after_cut == pytest.approx(BY_HAND[name] + added[name] * THIRD * 0.81 * 10, rel=1e-14)


@pytest.mark.parametrize("name", sorted(ONE_STEP - {"mips"}))
def test_one_step_estimators_count_days_until_the_closing_alone(name: str) -> None:
    """An episode of one step, cut two days later: only what a Q-function says of the time after is discounted."""
    one = episodes_of([[1], [5]], [[0.25], [0.5]], elapsed_microseconds=np.array([4, 4]) * (MICROSECONDS_PER_DAY // 2))
    one = replace(one, terminal=np.array([False, True]), timeout=np.array([True, False]))

    def estimate(next_value: float) -> float:
        values = ActionValues(np.array([4.0, 6]), np.array([3.5, 5.5]), np.array([next_value, 0]))
        sample = evaluation_sample(HALF, one, discount=PER_DAY, values=values)
        at_level = ESTIMATORS[name].at_level
        return (at_level(sample, 1e9) if at_level else ESTIMATORS[name].per_unit_sums(sample)).value()

    weight = {"sndr": 2 / 3, "switch_dr": 1.0, "dr_os": 1.0}.get(name, 0.0)
    assert estimate(10) - estimate(0) == pytest.approx(weight * 0.6561 * 10, rel=1e-6)


def test_returns_and_returns_to_go_count_days() -> None:
    """Distributions of returns, and what worth is learned from, are discounted as estimates are."""
    assert weighted_returns(sample_of(log())).returns.tolist() == pytest.approx([1 + SECOND * 2 + THIRD * 3, 5])
    found = returns_to_go(log(is_cut=True), PER_DAY, np.array([0, 0, 10.0, 0]))
    third = 3 + 0.81 * 10
    assert found.tolist() == pytest.approx([1 + 0.9 * (2 + 0.6561 * third), 2 + 0.6561 * third, third, 5])


def test_whole_days_between_all_decisions_are_steps() -> None:
    """With gaps of exactly one day, a discount per day gives the figures of the same discount per step, bit for bit."""
    daily = replace(log(is_cut=True), elapsed_microseconds=np.full(4, MICROSECONDS_PER_DAY))
    per_day, per_step = sample_of(daily), sample_of(daily, DiscountFunction(0.81))
    for name in BY_HAND:
        assert value_of(name, per_day) == value_of(name, per_step)


def test_per_step_no_time_is_looked_at() -> None:
    """Discounts per step are products of gamma, as they were before time counted, whatever the gaps: bit for bit."""
    sample, offsets = sample_of(log(), DiscountFunction(0.81)), log().offsets
    products = cumulative_products(np.full(4, 0.81), offsets)
    assert sample.next_discount.tolist() == products.tolist() == [0.81, 0.81 * 0.81, 0.81 * 0.81 * 0.81, 0.81]
    assert sample.discount.tolist() == shifted_products(products, offsets).tolist()


def test_microseconds_count() -> None:
    """A gap of a day and a microsecond discounts a little more than a day: by what the formula says, to rounding."""
    gaps = np.array([MICROSECONDS_PER_DAY + 1, 1])
    factors = DiscountFunction(0.5, "day").step_factors(episodes_of([[1, 1]], [[0.5, 0.5]], elapsed_microseconds=gaps))
    assert factors[0] < 0.5
    assert 1 - factors[1] == pytest.approx(np.log(2) / MICROSECONDS_PER_DAY, rel=1e-4)
