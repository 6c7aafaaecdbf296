"""Estimates aggregated by Spark are those of one process, to nine digits."""

from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import SparkSession

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.ope.density_ratios.fitting import fit_density_ratios
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.intervals.intervals import Resampling, percentile_interval
from rl.ope.intervals.partial_sums import EstimationPlan, PartialSums, partial_sums, whole_log
from rl.ope.intervals.sums_table import from_table
from rl.ope.propensities.logged_decisions import as_decisions
from tests.e2e.episodes_on_spark import episode_rows, merged_by_share, summed_by_partition
from tests.rl.ope.tabular_mdp import TableQ, small_mdp

MDP = small_mdp()
POLICY = MDP.random_policy(2)
DISCOUNT = DiscountFunction(0.9)
N_PARTITIONS = 7
# Weights of categories need a policy over categories: the same sums of another log.
WEIGHTING = [name for name, entry in ESTIMATORS.items() if entry.needs_weights and not entry.needs_categories]
DRAWS = Resampling(n_draws=200, seed=1)


def plan_of(log: LoggedEpisodes, *, is_one_step: bool) -> EstimationPlan:
    """All weighting estimators for logs of one step, or of several, with a given level where they limit weights."""
    names = tuple(name for name in WEIGHTING if ESTIMATORS[name].is_one_step == is_one_step)
    return EstimationPlan(
        names,
        DISCOUNT,
        q_function=TableQ(MDP.exact_q(POLICY, gamma=0.9) + 0.3),
        ratio_model=fit_density_ratios(POLICY, log, discount=DISCOUNT),
        levels={name: 2.0 for name in names if ESTIMATORS[name].at_level is not None},
    )


@pytest.fixture(scope="module")
def by_driver_and_by_shares(spark: SparkSession) -> dict[str, tuple[PartialSums, PartialSums, PartialSums]]:
    """By estimator: sums of one process, of partitions merged by the driver, and of partitions merged by shares."""
    whole = MDP.log(MDP.random_policy(1), n_episodes=600, seed=4, n_units=150)
    found = {}
    for log, is_one_step in ((whole, False), (as_decisions(whole), True)):
        plan = plan_of(log, is_one_step=is_one_step)
        rows = episode_rows(spark, log).repartition(N_PARTITIONS, "episode")
        sums = summed_by_partition(rows, POLICY, plan, MDP.mask).cache()
        together = whole_log(partial_sums(POLICY, log, plan))
        by_driver, by_shares = (whole_log(from_table(each.toArrow())) for each in (sums, merged_by_share(sums)))
        found |= dict.fromkeys(plan.estimators, (together, by_driver, by_shares))
        sums.unpersist()
    return found


@pytest.mark.parametrize("name", WEIGHTING)
@pytest.mark.parametrize("way", ["driver", "shares"])
def test_sums_of_partitions_are_those_of_one_process(
    name: str, way: str, by_driver_and_by_shares: dict[str, tuple[PartialSums, PartialSums, PartialSums]]
) -> None:
    """Value, standard error and bootstrap interval agree to 1e-9, units' influence likewise, whoever merges."""
    together, by_driver, by_shares = by_driver_and_by_shares[name]
    expected, found = together.require(name), (by_driver if way == "driver" else by_shares).require(name)
    np.testing.assert_array_equal(found.unit_ids, expected.unit_ids)
    np.testing.assert_allclose(found.influence(), expected.influence(), rtol=1e-9, atol=1e-9)
    one, other = (percentile_interval(sums, level=0.95, resampling=DRAWS) for sums in (found, expected))
    np.testing.assert_allclose(
        [one.value, one.lower, one.upper, one.standard_error],
        [other.value, other.lower, other.upper, other.standard_error],
        rtol=1e-9,
    )


def test_overlap_of_partitions_is_that_of_one_process(
    by_driver_and_by_shares: dict[str, tuple[PartialSums, PartialSums, PartialSums]],
) -> None:
    """Effective sizes and the largest weight come out of the same table."""
    together, by_driver, by_shares = (each.overlap for each in by_driver_and_by_shares["wpdis"])
    for found in (by_driver, by_shares):
        assert found.effective_sample_size == pytest.approx(together.effective_sample_size, rel=1e-9)
        assert found.n_effective_rewarded == pytest.approx(together.n_effective_rewarded, rel=1e-9)
        assert found.max_weight == pytest.approx(together.max_weight, rel=1e-9)


def test_partitions_were_really_parts(spark: SparkSession) -> None:
    """Units occur in several partitions whose longest episodes differ, so that merging has something to do."""
    log = MDP.log(MDP.random_policy(1), n_episodes=600, seed=4, n_units=150)
    plan = EstimationPlan(("wpdis",), DISCOUNT)
    rows = episode_rows(spark, log).repartition(N_PARTITIONS, "episode")
    table = summed_by_partition(rows, POLICY, plan, MDP.mask).toArrow().to_pylist()
    weighted = [row for row in table if row["estimator"] == "wpdis"]
    assert len(weighted) > 2 * 150
    assert len({len(row["numerators"]) for row in weighted}) > 1
