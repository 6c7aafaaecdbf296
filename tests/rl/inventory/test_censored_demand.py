"""Demand behind sold-out days: against hand counts, the textbook estimate, and known demand."""

from __future__ import annotations

import numpy as np
import pytest

from rl.errors import InventoryError
from rl.inventory.censored_demand import completed, fit_demand, fit_in_strata
from rl.inventory.demand import DemandDistribution
from tests.rl.inventory.states import POISSON


def test_without_days_that_ran_out_it_is_the_share_of_each_demand() -> None:
    sales = np.array([0, 1, 1, 3, 3, 3])
    found = fit_demand(sales, np.zeros(6, dtype=bool))
    assert found.distribution.probabilities == pytest.approx([1 / 6, 2 / 6, 0, 3 / 6])
    assert (found.declared_chance, found.n_censored) == (0, 0)


def test_estimate_by_hand() -> None:
    """Shown 1, 2, 4; ran out at 2 and at 3. Of five days above 0, one shows 1; three tell of 2, one shows it."""
    sales, ran_out = np.array([1, 2, 4, 2, 3]), np.array([False, False, False, True, True])
    chances = fit_demand(sales, ran_out).distribution.probabilities
    assert chances == pytest.approx([0, 1 / 5, 4 / 5 * 1 / 3, 0, 4 / 5 * 2 / 3])


def test_it_is_the_product_limit_with_bounds_just_below_their_units() -> None:
    """The same from its definition, day by day: a day that ran out at k leaves the risk set before k."""
    generator = np.random.default_rng(3)
    demand, stock = POISSON.draw(300, generator), generator.integers(2, 14, 300)
    sales, ran_out = np.minimum(demand, stock), demand >= stock
    found = fit_demand(sales, ran_out)
    survival, expected = 1.0, []
    for units in range(found.declared_from):
        at_risk = sum(sold > units or (sold == units and not out) for sold, out in zip(sales, ran_out, strict=True))
        shown = sum(sold == units and not out for sold, out in zip(sales, ran_out, strict=True))
        expected.append(survival * shown / at_risk)
        survival *= 1 - shown / at_risk
    assert found.distribution.probabilities[: len(expected)] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("tail", "tolerance"), [("geometric", 0.5), ("at_bound", 0.9)])
def test_the_tail_beyond_the_largest_stock_is_declared(tail: str, tolerance: float) -> None:
    demand = POISSON.draw(50_000, np.random.default_rng(0))
    sales, ran_out = np.minimum(demand, 6), demand >= 6
    found = fit_demand(sales, ran_out, tail=tail)
    assert found.declared_from == 6
    assert found.declared_chance == pytest.approx(1 - POISSON.cumulative[5], abs=0.01)
    assert found.distribution.cumulative[5] == pytest.approx(POISSON.cumulative[5], abs=0.01)
    # The geometric tail falls more slowly than Poisson's, the one at the bound is the least that is possible.
    assert found.distribution.mean == pytest.approx(5.0, abs=tolerance)
    assert (found.distribution.mean > 5.0) == (tail == "geometric")


def test_weights_are_repetitions() -> None:
    sales, ran_out = np.array([1, 2, 4, 2]), np.array([False, True, False, False])
    counts = np.array([2, 1, 3, 0])
    weighted = fit_demand(sales, ran_out, weights=counts.astype(float)).distribution.probabilities
    repeated = fit_demand(np.repeat(sales, counts), np.repeat(ran_out, counts)).distribution.probabilities
    assert weighted == pytest.approx(repeated)


def test_strata_keep_a_buyer_who_stocks_up_for_promotions_from_hiding_demand() -> None:
    """Stock follows the forecast, so the pooled estimate is off; in strata the 90% quantile is within 5%."""
    generator = np.random.default_rng(5)
    laws = {0: DemandDistribution.negative_binomial(20, 40), 1: DemandDistribution.negative_binomial(50, 110)}
    strata = (generator.random(20_000) < 0.3).astype(np.int64)
    demand = np.where(strata == 1, laws[1].draw(20_000, generator), laws[0].draw(20_000, generator))
    stock = np.round(np.where(strata == 1, 50, 20) * generator.uniform(0.8, 1.6, 20_000)).astype(np.int64)
    found = fit_in_strata(np.minimum(demand, stock), demand >= stock, strata)
    for stratum, law in laws.items():
        assert found[stratum].n_censored > 0.2 * found[stratum].n_days
        assert found[stratum].distribution.quantile(0.9) == pytest.approx(law.quantile(0.9), rel=0.05)
    pooled = fit_demand(np.minimum(demand, stock), demand >= stock).distribution.quantile(0.9)
    assert abs(pooled / laws[0].quantile(0.9) - 1) > 0.05


def test_completed_demand_keeps_what_was_seen_and_follows_the_law_elsewhere() -> None:
    demand = POISSON.draw(40_000, np.random.default_rng(1))
    stock = np.random.default_rng(2).integers(3, 15, 40_000)
    sales, ran_out = np.minimum(demand, stock), demand >= stock
    strata = np.zeros(40_000, dtype=np.int64)
    drawn = completed(sales, ran_out, strata, fit_in_strata(sales, ran_out, strata), np.random.default_rng(3))
    assert (drawn[~ran_out] == demand[~ran_out]).all()
    assert (drawn >= sales).all()
    assert np.bincount(drawn, minlength=15)[:15] / 40_000 == pytest.approx(POISSON.probabilities[:15], abs=0.01)


@pytest.mark.parametrize(
    ("sales", "ran_out", "message"),
    [
        ([], [], "no days"),
        ([1, 2], [True, True], "all 2 days ran out"),
        ([-1, 2], [False, False], "at least 0"),
        ([1], [True, False], "of one length"),
    ],
)
def test_days_that_tell_nothing_are_refused(sales: list[int], ran_out: list[bool], message: str) -> None:
    with pytest.raises(InventoryError, match=message):
        fit_demand(np.array(sales, dtype=np.int64), np.array(ran_out, dtype=bool))


def test_a_stratum_without_estimate_is_named() -> None:
    with pytest.raises(InventoryError, match="stratum 7: all 1 days ran out"):
        fit_in_strata(np.array([1, 2]), np.array([False, True]), np.array([0, 7]))
