"""What every interval holds to, and what each is for."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binom, chi2

from rl.data.logged_episodes import FloatArray
from rl.errors import EvaluationError
from rl.ope.intervals.confidence_sequence import confidence_sequence_interval
from rl.ope.intervals.intervals import Interval, Resampling, student_interval
from rl.ope.intervals.sums import RatioSums, difference
from tests.bench.intervals.empirical_bernstein import empirical_bernstein_interval
from tests.bench.intervals.empirical_likelihood import empirical_likelihood_interval
from tests.bench.intervals.interval_methods import INTERVAL_METHODS, make_interval

METHODS = list(INTERVAL_METHODS)
ALWAYS_WIDER = {"empirical_bernstein", "confidence_sequence"}


def mean_sums(values: FloatArray) -> RatioSums:
    """Sums whose value is the plain mean of one value per unit."""
    return RatioSums(np.arange(len(values)), np.asarray(values, dtype=np.float64)[:, None], np.ones((len(values), 1)))


def ratio_sums(seed: int = 0, n: int = 300) -> RatioSums:
    """Two self-normalised ratios, with skewed weights."""
    generator = np.random.default_rng(seed)
    weight = generator.lognormal(0, 0.5, size=(n, 2))
    return RatioSums(np.arange(n), weight * generator.exponential(size=(n, 2)), weight)


def interval(method: str, sums: RatioSums, level: float = 0.95, n_draws: int = 1000) -> Interval:
    return make_interval(method, sums, level=level, resampling=Resampling(n_draws=n_draws, seed=1))


@pytest.mark.parametrize("method", METHODS)
def test_interval_holds_the_estimate_and_grows_with_the_level(method: str) -> None:
    """The estimate lies within, and a higher level's interval encloses a lower one's."""
    sums = ratio_sums()
    narrow, wide = interval(method, sums, 0.8), interval(method, sums, 0.99)
    assert wide.lower < narrow.lower < sums.value() < narrow.upper < wide.upper
    assert narrow.value == sums.value()


@pytest.mark.parametrize("method", METHODS)
def test_interval_moves_and_stretches_with_the_unit_of_value(method: str) -> None:
    """Cents instead of euros, or a constant added to every return: the same interval in the other unit."""
    sums = ratio_sums()
    scaled = RatioSums(sums.unit_ids, 100 * sums.numerators, sums.denominators)
    shifted = RatioSums(sums.unit_ids, sums.numerators + 3 * sums.denominators, sums.denominators)
    plain = interval(method, sums)
    assert interval(method, scaled).lower == pytest.approx(100 * plain.lower, rel=1e-6)
    assert interval(method, scaled).upper == pytest.approx(100 * plain.upper, rel=1e-6)
    assert interval(method, shifted).lower == pytest.approx(plain.lower + 6, rel=1e-6)  # two ratios, 3 each


@pytest.mark.parametrize("method", METHODS)
def test_interval_of_a_constant_lead_has_no_width(method: str) -> None:
    """A paired difference that is the same for every shopper leaves nothing to doubt."""
    sums = ratio_sums()
    lead = RatioSums(sums.unit_ids, sums.numerators + sums.denominators, sums.denominators)
    found = interval(method, difference(lead, sums))
    assert found.lower == pytest.approx(2.0)
    assert found.upper == pytest.approx(2.0)


@pytest.mark.parametrize("method", METHODS)
def test_interval_covers_a_mean(method: str) -> None:
    """95% intervals of the mean of 150 exponential values hold the truth as often as chance allows, over 300 logs.

    At least the 0.1% quantile of Binomial(300, .93): two points of a hundred are left for the skew; at most its upper
    counterpart for .97, but for those that are wide by design.
    """
    values = np.random.default_rng(5).exponential(size=(300, 150))
    found = [interval(method, mean_sums(row), n_draws=400) for row in values]
    n_hits = sum(one.lower <= 1.0 <= one.upper for one in found)
    assert n_hits >= binom.ppf(0.001, 300, 0.93)
    if method not in ALWAYS_WIDER:
        assert n_hits <= binom.ppf(0.999, 300, 0.97)


@pytest.mark.parametrize("method", METHODS)
def test_interval_refuses_a_single_unit(method: str) -> None:
    """One shopper says nothing about how shoppers differ."""
    with pytest.raises(EvaluationError, match="at least two units"):
        interval(method, mean_sums(np.ones(1)))


@pytest.mark.parametrize(
    ("method", "level", "message"),
    [
        ("students", 0.9, "unknown interval method 'students'; did you mean 'student'"),
        ("student", 1.0, "between 0 and 1, got 1.0"),
    ],
)
def test_interval_names_what_is_wrong_with_the_request(method: str, level: float, message: str) -> None:
    """Typos get a suggestion; a level of 1 asks for certainty."""
    with pytest.raises(EvaluationError, match=message):
        interval(method, mean_sums(np.arange(9.0)), level)


def test_empirical_likelihood_bound_is_where_the_best_reweighting_reaches_the_threshold() -> None:
    """At the bound, the likeliest weights with that mean, found by a general optimizer, lie at the chi-square limit."""
    values = np.random.default_rng(2).exponential(size=12)
    found = empirical_likelihood_interval(mean_sums(values), level=0.9)
    for bound in (found.lower, found.upper):
        best = minimize(
            lambda q: -np.log(12 * q).sum(),
            np.full(12, 1 / 12),
            method="SLSQP",
            bounds=[(1e-9, 1)] * 12,
            constraints=[
                {"type": "eq", "fun": lambda q: q.sum() - 1},
                {"type": "eq", "fun": lambda q, bound=bound: q @ values - bound},
            ],
            options={"maxiter": 500, "ftol": 1e-12},
        )
        assert best.success
        assert 2 * best.fun == pytest.approx(chi2.ppf(0.9, 1), rel=1e-3)


def test_empirical_likelihood_leans_towards_the_long_tail_and_stays_in_the_hull() -> None:
    """On skewed values the upper arm is the longer one, and no bound leaves the values seen."""
    values = np.random.default_rng(3).exponential(size=15) ** 2
    found = empirical_likelihood_interval(mean_sums(values), level=0.99)
    assert found.upper - found.value > 1.3 * (found.value - found.lower)
    assert values.min() <= found.lower
    assert found.upper <= values.max()


def test_euclidean_likelihood_agrees_with_student_on_many_units() -> None:
    """With 5,000 units the chi-square and t limits are the same to a thousandth."""
    sums = mean_sums(np.random.default_rng(4).normal(size=5000))
    euclidean = empirical_likelihood_interval(sums, level=0.95, divergence="euclidean")
    assert euclidean.upper == pytest.approx(student_interval(sums, level=0.95).upper, rel=1e-3)


def test_empirical_bernstein_with_known_bounds_covers_on_small_logs_of_rare_orders() -> None:
    """30 shoppers, of whom 3% spend 10: the interval with known bounds never misses in 500 logs; Student's does often.

    Its error is at most 5%; Student's lower bounds collapse to 0 whenever nobody orders, in 40% of logs.
    """
    logs = 10.0 * (np.random.default_rng(6).random((500, 30)) < 0.03)

    def misses(found: Interval) -> bool:
        return not found.lower <= 0.3 <= found.upper

    bernstein = sum(misses(empirical_bernstein_interval(mean_sums(log), level=0.95, bounds=(0, 10))) for log in logs)
    student = sum(misses(student_interval(mean_sums(log), level=0.95)) for log in logs)
    assert bernstein <= binom.ppf(0.999, 500, 0.05)
    assert student > 100


def test_empirical_bernstein_refuses_values_outside_its_bounds() -> None:
    """Bounds of the reward are no bounds of the weighted return: the units beyond are counted and one is named."""
    with pytest.raises(EvaluationError, match=r"2 units have values from 0 to 9, outside the bounds 0 to 7 .*unit 8"):
        empirical_bernstein_interval(mean_sums(np.arange(10.0)), level=0.9, bounds=(0, 7))


def _ever_misses(values: FloatArray, make: partial[Interval]) -> bool:
    looks = range(100, len(values) + 1, 50)
    found = (make(mean_sums(values[:n])) for n in looks)
    return any(not one.lower <= 0 <= one.upper for one in found)


def test_confidence_sequence_holds_at_all_looks_together() -> None:
    """Over 39 looks at 200 growing logs it misses no oftener than 5% of logs; a 95% interval for one look does.

    The 0.999 quantile of Binomial(200, .05) is 20.
    """
    logs = np.random.default_rng(7).exponential(size=(200, 2000)) - 1
    sequence = partial(confidence_sequence_interval, level=0.95, planned_units=500)
    one_look = partial(student_interval, level=0.95)
    assert sum(_ever_misses(log, sequence) for log in logs) <= binom.ppf(0.999, 200, 0.05)
    assert sum(_ever_misses(log, one_look) for log in logs) > 30


def test_confidence_sequence_is_tightest_where_it_was_planned() -> None:
    """Planned for 500 units it is narrower there than planned for 50 or 5,000, and wider than one look's interval."""
    sums = mean_sums(np.random.default_rng(8).normal(size=500))
    widths = {}
    for planned in (50, 500, 5000):
        found = confidence_sequence_interval(sums, level=0.95, planned_units=planned)
        widths[planned] = found.upper - found.lower
    one_look = student_interval(sums, level=0.95)
    assert widths[500] == min(widths.values())
    assert 1.3 < widths[500] / (one_look.upper - one_look.lower) < 1.7


def test_confidence_sequence_needs_a_plan() -> None:
    """No planned units, no sequence."""
    with pytest.raises(EvaluationError, match="two planned units, got 0"):
        confidence_sequence_interval(mean_sums(np.arange(5.0)), level=0.9, planned_units=0)


def test_empirical_likelihood_refuses_an_unknown_divergence() -> None:
    """Cressie-Read powers that aren't offered are named as such."""
    with pytest.raises(EvaluationError, match="unknown divergence 'hellinger'"):
        empirical_likelihood_interval(mean_sums(np.arange(5.0)), level=0.9, divergence="hellinger")  # type: ignore[arg-type]


def test_empirical_likelihood_of_two_far_values_reaches_between_them() -> None:
    """With two units nearly the whole hull is possible at a high level, and nothing is divided by zero."""
    found = empirical_likelihood_interval(mean_sums(np.array([0.0, 1.0])), level=0.999)
    assert 0 <= found.lower < 0.01
    assert 0.99 < found.upper <= 1
    assert math.isfinite(found.standard_error)


def test_bca_interval_leans_towards_the_long_tail() -> None:
    """On a right-skewed sample both BCa bounds lie above the percentile ones, as skewness corrections demand."""
    sums = mean_sums(np.random.default_rng(3).exponential(size=40) ** 2)
    plain, corrected = (interval(method, sums, 0.9, n_draws=2000) for method in ("percentile", "bca"))
    assert corrected.lower > plain.lower
    assert corrected.upper > plain.upper


def test_bca_interval_of_a_constant_is_that_constant() -> None:
    """Nothing to correct, nothing divided by zero."""
    found = interval("bca", mean_sums(np.full(5, 2.0)), 0.9)
    assert (found.lower, found.upper) == (2.0, 2.0)
