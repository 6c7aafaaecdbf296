from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import Resampling, percentile_interval
from rl.ope.intervals.partial_sums import (
    EstimationPlan,
    PartialSums,
    episode_batches,
    episode_slice,
    merged_parts,
    partial_sums,
    sums_in_batches,
    whole_log,
)
from rl.ope.intervals.sums import RatioSums, merged
from rl.ope.intervals.sums_table import from_table, merged_table, to_table
from rl.ope.overlap.overlap_sums import merged_overlaps
from rl.ope.samples.behavior_value import OnlyAction, as_one_action
from rl.ope.samples.q_function import action_values
from rl.ope.samples.sample import evaluation_sample
from rl.ope.samples.weights import effective_rewarded_units, effective_sample_size
from tests.rl.ope.tabular_mdp import TablePolicy, TableQ, episodes_of, reordered, small_mdp

MDP = small_mdp()
POLICY = MDP.random_policy(2)
HALF = TablePolicy(np.array([[0.5, 0.5]]))
Q = TableQ(MDP.exact_q(POLICY, gamma=0.9) + 0.3)
NAMES = ("on_policy", "dm", "tis", "pdis", "wis", "wpdis", "dr", "wdr")
PLAN = EstimationPlan(NAMES, DiscountFunction(0.9), clip=3.0, q_function=Q)
BARE = replace(PLAN, q_function=None, estimators=("tis", "wis"))


@cache
def log() -> LoggedEpisodes:
    """90 episodes of 30 units in an order in which the units' episodes lie far apart, some of them cut."""
    return MDP.log(MDP.random_policy(1), n_episodes=90, seed=4, n_units=30, max_steps=11)


def at_once() -> dict[str, RatioSums]:
    """Sums of the whole log by each estimator itself."""
    values = action_values(Q, POLICY, log())
    sample = evaluation_sample(POLICY, log(), discount=PLAN.discount, clip=PLAN.clip, values=values)
    return {name: ESTIMATORS[name].per_unit_sums(sample) for name in NAMES}


def parts_of(sizes: Sequence[int]) -> list[PartialSums]:
    """Parts of so many episodes each, shortest episodes first, so that the parts' longest episodes differ."""
    order = np.argsort(log().lengths, kind="stable")
    groups = np.split(order, np.cumsum(sizes)[:-1])
    return [partial_sums(POLICY, reordered(log(), group), PLAN) for group in groups]


def assert_same(found: RatioSums, expected: RatioSums) -> None:
    np.testing.assert_array_equal(found.unit_ids, expected.unit_ids)
    np.testing.assert_allclose(found.numerators, expected.numerators, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.denominators, expected.denominators, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sizes", [(90,), (1, 89), (30, 30, 30), (1,) * 90])
def test_merged_parts_hold_the_sums_of_the_whole(name: str, sizes: tuple[int, ...]) -> None:
    """However the episodes are divided, and with units in several parts, the sums are those of one computation."""
    assert_same(merged_parts(parts_of(sizes)).sums[name], at_once()[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("max_rows", [1, 17, 10_000])
def test_batches_hold_the_sums_of_the_whole(name: str, max_rows: int) -> None:
    """Batches of one episode, of a few rows and of everything give the same sums."""
    assert_same(sums_in_batches(POLICY, log(), PLAN, max_rows=max_rows).require(name), at_once()[name])


def test_batches_hold_the_sums_of_values_over_few_steps() -> None:
    """A value over three steps has the same sums in batches."""
    sample = evaluation_sample(POLICY, log(), discount=PLAN.discount, steps=3)
    plan = replace(PLAN, steps=3, clip=None, estimators=("wpdis",), q_function=None)
    found = sums_in_batches(POLICY, log(), plan, max_rows=20).require("wpdis")
    assert_same(found, ESTIMATORS["wpdis"].per_unit_sums(sample))


@pytest.mark.parametrize("name", NAMES)
def test_a_table_of_parts_in_any_order_is_read_as_the_whole(name: str) -> None:
    """Rows of three parts, shuffled, with lists of different lengths, merge to the sums of one computation."""
    rows = [to_table(part) for part in parts_of((10, 50, 30))]
    table = rows[0].from_batches([batch for part in rows for batch in part.to_batches()])
    order = np.random.default_rng(0).permutation(table.num_rows)
    assert_same(from_table(table.take(order)).sums[name], at_once()[name])


def test_tables_merged_by_share_of_units_merge_to_the_whole() -> None:
    """Merging odd and even units apart first, as machines after a shuffle do, changes nothing."""
    table = to_table(merged_parts(parts_of((45, 45))))
    table = table.from_batches([*table.to_batches(), *to_table(parts_of((45, 45))[0]).to_batches()])
    odd = table["unit_id"].to_numpy() % 2 == 1
    shares = [merged_table(table.filter(share)) for share in (odd, ~odd)]
    together = from_table(table.from_batches([batch for share in shares for batch in share.to_batches()]))
    assert_same(together.sums["wpdis"], from_table(table).sums["wpdis"])


def test_intervals_do_not_depend_on_the_division() -> None:
    """Bootstrap intervals from 90 parts are those of one computation, to nine digits."""
    draws = Resampling(n_draws=300, seed=3)
    found, expected = merged_parts(parts_of((1,) * 90)).sums["wpdis"], at_once()["wpdis"]
    one, other = (percentile_interval(sums, level=0.9, resampling=draws) for sums in (found, expected))
    np.testing.assert_allclose([one.lower, one.upper], [other.lower, other.upper], rtol=1e-9)


def test_overlap_of_parts_is_that_of_the_whole_sample() -> None:
    """Effective sizes, mean and largest weight, shares clipped and cut agree with those of one sample."""
    sample = evaluation_sample(POLICY, log(), discount=PLAN.discount, clip=PLAN.clip)
    assert sample.weights is not None
    weight, unit = sample.discount * sample.weights.cumulative, sample.unit_of_row
    found = merged_overlaps(*(part.overlap for part in parts_of((20, 70))))
    assert found.refusal() is None
    assert found.effective_sample_size == pytest.approx(effective_sample_size(np.bincount(unit, weights=weight)))
    assert found.n_effective_rewarded == pytest.approx(effective_rewarded_units(weight * sample.reward, unit))
    assert found.mean_weight == pytest.approx(sample.weights.cumulative.mean())
    assert found.max_weight == pytest.approx(sample.weights.max_weight)
    assert found.share_clipped == pytest.approx(sample.weights.share_clipped) != 0
    assert found.share_cut == pytest.approx(sample.is_cut.mean()) != 0


def test_behavior_policy_is_valued_in_batches_without_propensities() -> None:
    """Its weights are 1 whatever the log knows, and its values those of the log as one action."""
    unknown = replace(log(), propensity=np.full(log().n_transitions, np.nan))
    q = TableQ(np.arange(4.0)[:, None])
    plan = EstimationPlan(("pdis", "dr"), DiscountFunction(0.9), q_function=q)
    found = sums_in_batches(None, unknown, plan, max_rows=30)
    values = action_values(q, OnlyAction(), as_one_action(unknown))
    sample = evaluation_sample(None, unknown, discount=plan.discount, values=values)
    assert found.require("dr").value() == pytest.approx(ESTIMATORS["dr"].per_unit_sums(sample).value())
    assert found.require("pdis").value() == pytest.approx(ESTIMATORS["on_policy"].per_unit_sums(sample).value())


def test_a_certain_part_of_an_uncertain_log_refuses_nothing() -> None:
    """Every propensity of a part may be 1 where the rest of the log explores."""
    certain, exploring = episodes_of([[1]], [[1.0]]), episodes_of([[4]], [[0.5]])
    parts = [partial_sums(HALF, part, BARE) for part in (certain, exploring)]
    assert whole_log(merged_parts(parts)).require("tis").value() == pytest.approx((0.5 * 1 + 4) / 2)


@pytest.mark.parametrize(
    ("propensities", "reason"),
    [
        ([[1.0], [1.0]], "deterministic"),
        ([[0.5], [np.nan]], "1 of 2 logged decisions have no propensity"),
        ([[np.nan], [np.nan]], "no propensities"),
    ],
)
def test_the_whole_refuses_what_no_part_could_know(propensities: list[list[float]], reason: str) -> None:
    """Reasons are those of one computation on the whole log."""
    whole = episodes_of([[1], [2]], propensities)
    found = sums_in_batches(HALF, whole, BARE, max_rows=1)
    with pytest.raises(UnsupportedEstimator, match=reason):
        found.require("tis")


def test_a_part_without_weight_refuses_only_if_all_are() -> None:
    """A policy that never does what one part logged is judged by the other; with no other, refused."""
    mixed = replace(episodes_of([[1], [5]], [[0.5], [0.5]]), action=np.array([0, 1]))
    second_only = TablePolicy(np.array([[0.0, 1.0]]))
    assert sums_in_batches(second_only, mixed, BARE, max_rows=1).require("wis").value() == 5
    with pytest.raises(UnsupportedEstimator, match="every importance weight is 0"):
        sums_in_batches(second_only, episode_slice(mixed, 0, 1), BARE).require("wis")


def test_weights_that_overflow_in_a_part_refuse_the_whole() -> None:
    """One episode whose weights no double can hold leaves no weighted value of the log."""
    huge = episodes_of([[1.0] * 600, [1.0]], [[0.1] * 600, [0.5]])
    table = to_table(partial_sums(HALF, episode_slice(huge, 0, 1), BARE))
    both = merged_parts([from_table(table), partial_sums(HALF, episode_slice(huge, 1, 2), BARE)])
    with pytest.raises(UnsupportedEstimator, match="overflow"):
        whole_log(both).require("wis")


def test_batches_hold_every_row_once_and_no_episode_is_divided() -> None:
    """Views of successive episodes, at most `max_rows` rows each unless a single episode is longer."""
    batches = list(episode_batches(log(), max_rows=5))
    np.testing.assert_array_equal(np.concatenate([batch.reward for batch in batches]), log().reward)
    assert sum(batch.n_episodes for batch in batches) == log().n_episodes
    assert all(batch.n_transitions <= 5 or batch.n_episodes == 1 for batch in batches)
    assert all(np.shares_memory(batch.features, log().features) for batch in batches)


def test_merging_nothing_is_refused() -> None:
    """No parts, no sums."""
    with pytest.raises(EvaluationError, match="no partial sums"):
        merged()


def test_a_table_without_a_column_is_refused() -> None:
    """A table of something else is no table of partial sums."""
    table = to_table(parts_of((90,))[0]).drop_columns(["refusal"])
    with pytest.raises(EvaluationError, match="lack the columns refusal"):
        from_table(table)
