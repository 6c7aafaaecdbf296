"""A law of units follows the days as far as they show, and itself beyond."""

from __future__ import annotations

import numpy as np
import pytest

from rl.inventory.unit_law import UnitLaw
from rl.orders.stratum_laws import CorrectedLaw

LAW = UnitLaw(factor=1.0, excess=0.001, growth=0.25)


def days_of(n: int, most_stocked: float, *, is_lumpy: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What days sold whose demand has the law, or is Poisson with lumps; whether they ran out, and their forecasts."""
    generator = np.random.default_rng(5)
    forecasts = generator.uniform(30, 40, n)
    lumps = np.where(generator.random(n) < 0.2, 2.2, 1.0) / 1.24
    mean = forecasts * lumps if is_lumpy else generator.gamma(4, forecasts / 4)
    demand, stock = generator.poisson(mean), np.round(forecasts * generator.uniform(0.4, most_stocked, n))
    return np.minimum(demand, stock.astype(np.int64)), demand >= stock, forecasts


def corrected(sold: np.ndarray, ran_out: np.ndarray, forecasts: np.ndarray) -> CorrectedLaw:
    """The law, corrected by the days."""
    return CorrectedLaw.of(LAW, sold, ran_out, forecasts, np.ones(len(sold)))


def test_the_right_law_is_left_as_it_is() -> None:
    """Chances of 3 in 100 and more are within a tenth of their own, by 20,000 days."""
    found = corrected(*days_of(20_000, 2.0))
    units = np.array([5, 10, 20, 30, 45])
    of_law = 1 - LAW.at_least(units + 1, np.full(5, 20.0))
    assert 1 - found.at_most(units, 20.0) == pytest.approx(1 - of_law, rel=0.1, abs=0.003)


def test_what_days_show_goes_before_the_law() -> None:
    """Lumps that days show are drawn, which the law doesn't know: 1 in 5 days asks for 2.2 times as much.

    Within a tenth by 20,000 days, whose forecasts lie up to a quarter below: lumps lie elsewhere in the law there.
    """
    found = corrected(*days_of(20_000, 3.0, is_lumpy=True))
    units = np.array([45, 60, 68])
    assert 1 - found.at_most(units, 40.0) == pytest.approx([0.210, 0.179, 0.122], rel=0.1)
    assert LAW.at_least(units + 1, np.full(3, 40.0)) == pytest.approx([0.338, 0.155, 0.098], abs=0.001)


def test_beyond_what_days_show_the_law_s_own_decline_goes_on() -> None:
    sold, ran_out, forecasts = days_of(4000, 1.3)
    found = corrected(sold, ran_out, forecasts)
    far = np.array([70, 90])
    left = 1 - found.at_most(far, 30.0)
    of_law = LAW.at_least(far + 1, np.full(2, 30.0))
    assert left[1] / left[0] == pytest.approx(of_law[1] / of_law[0])
    assert 0.1 < found.declared_chance < 0.35


def test_days_that_do_not_count_change_nothing() -> None:
    sold, ran_out, forecasts = days_of(800, 1.6)
    weights = (np.arange(800) < 500).astype(np.float64)
    found = CorrectedLaw.of(LAW, sold, ran_out, forecasts, weights)
    np.testing.assert_array_equal(found.risks, corrected(sold[:500], ran_out[:500], forecasts[:500]).risks)


def test_days_far_beyond_the_law_are_drawn_as_they_sold() -> None:
    """Nothing is left of the law there; a draw still ends."""
    found = corrected(*days_of(500, 1.6))
    sold = np.array([0, 100_000])
    drawn = found.drawn(sold, np.array([0.05, 0.05]), np.random.default_rng(0))
    assert (drawn >= sold).all()
    assert drawn[1] == 100_000


@pytest.mark.parametrize("expected", [0.7, 6.0, 30.0])
def test_chances_are_those_of_draws(expected: float) -> None:
    found, n = corrected(*days_of(2000, 1.6)), 40_000
    drawn = found.drawn(np.zeros(n, dtype=np.int64), np.full(n, expected), np.random.default_rng(1))
    units = np.arange(found.largest(expected) + 1)
    chances = np.diff(found.at_most(units, expected), prepend=0.0)
    assert chances.sum() == pytest.approx(1, abs=1e-8)
    assert chances @ units == pytest.approx(drawn.mean(), rel=0.02)
    assert np.searchsorted(np.cumsum(chances), 0.9) == pytest.approx(np.quantile(drawn, 0.9), abs=1)
