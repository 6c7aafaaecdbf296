from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import genpareto

from rl.data.logged_episodes import FloatArray
from rl.ope.intervals.intervals import Resampling, reaching_intervals, student_interval, widest_intervals
from rl.ope.intervals.sums import RatioSums
from rl.ope.intervals.tails import TailReach, _scale, tail_reach

N = 1000


def centered(values: FloatArray) -> FloatArray:
    return np.asarray(values - values.mean())


def mean_sums(values: FloatArray) -> RatioSums:
    return RatioSums(np.arange(len(values)), values[:, None], np.ones((len(values), 1)))


@pytest.mark.parametrize("draw", ["normal", "exponential", "bernoulli"])
def test_light_tails_reach_nowhere(draw: str) -> None:
    """On ten logs of each kind the bounds stay where they are."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        values = {
            "normal": rng.normal(size=N),
            "exponential": rng.exponential(size=N),
            "bernoulli": (rng.random(N) < 0.2).astype(float),
        }[draw]
        assert tail_reach(centered(values)) == TailReach(0.0, 0.0)


def test_a_heavy_tail_reaches_on_its_own_side() -> None:
    """Large orders move the upper bound, large losses the lower one as far."""
    values = centered(np.random.default_rng(2).pareto(1.5, size=N))
    gains, losses = tail_reach(values), tail_reach(-values)
    assert gains.below == 0.0 < gains.above
    assert losses == TailReach(below=gains.above, above=0.0)


def test_the_reach_is_in_the_estimates_unit() -> None:
    """Cents instead of euros: a hundred times as far."""
    values = centered(np.random.default_rng(2).pareto(1.5, size=N))
    assert tail_reach(100 * values).above == pytest.approx(100 * tail_reach(values).above)


def test_few_values_reach_nowhere() -> None:
    """No tail can be fitted to them."""
    assert tail_reach(np.zeros(50)) == TailReach(0.0, 0.0)
    assert tail_reach(centered(np.random.default_rng(0).pareto(1.5, size=8))) == TailReach(0.0, 0.0)


@pytest.mark.parametrize("shape", [0.3, 0.6, 0.9])
def test_scale_is_the_likeliest(shape: float) -> None:
    """No other scale gives the exceedances a higher likelihood."""
    exceedances = genpareto.rvs(shape, scale=3.0, size=200, random_state=1)
    found = _scale(exceedances, shape)
    likelihood = [genpareto.logpdf(exceedances, shape, scale=found * by).sum() for by in (0.97, 1.0, 1.03)]
    assert likelihood[1] == max(likelihood)


def test_reaching_intervals_hold_means_without_variance_more_often() -> None:
    """Over 200 logs of Pareto rewards of shape 1.5, of mean 3: at least 85% of them, and six points more than others.

    Such a share of 200 logs is known to two points; it was .88 of 400 others.
    """
    held = {"widest": 0, "reaching": 0}
    for seed in range(200):
        sums = mean_sums(1 + np.random.default_rng(seed).pareto(1.5, size=N))
        for name, make in (("widest", widest_intervals), ("reaching", reaching_intervals)):
            (found,) = make([sums], level=0.95, resampling=Resampling(n_draws=200, seed=seed))
            held[name] += found.lower <= 3.0 <= found.upper
    assert held["reaching"] >= 170
    assert held["reaching"] >= held["widest"] + 12


def test_lumps_of_a_bounded_reward_are_no_power_law() -> None:
    """Clicks of 1 and purchases of 10, weighted: over 40 logs intervals stay within 1.15 of Student's in the mean.

    One threshold alone, which lies between clicks and purchases, made a power law of them (half as wide again).
    """
    widths = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        weight = np.where(rng.random(2000) < 0.7, 0.6, 2.0)
        sums = mean_sums(weight * (rng.poisson(0.5, 2000) + 10.0 * rng.poisson(0.08, 2000)))
        (found,) = reaching_intervals([sums], level=0.95, resampling=Resampling(n_draws=200, seed=seed))
        plain = student_interval(sums, level=0.95)
        widths.append((found.upper - found.lower) / (plain.upper - plain.lower))
    assert np.mean(widths) <= 1.15
