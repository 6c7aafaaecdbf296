from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from rl.errors import UnsupportedEstimator
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.estimators.slope import choose_level, default_levels, sums_at_chosen_level
from rl.ope.intervals.intervals import Resampling, student_interval
from rl.ope.intervals.sums import RatioSums
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import EvaluationSettings, evaluate_policies
from rl.ope.samples.sample import EvaluationSample
from tests.rl.ope.one_step_logs import DISCOUNT, LEVELED, bandit, sample_of


def sums_of(center: float, half_width: float) -> RatioSums:
    """Sums of two units whose 95% Student interval is that wide."""
    unit = np.array([[-1.0], [1.0]])
    wide = RatioSums(np.arange(2), unit, np.ones((2, 1)))
    interval = student_interval(wide, level=0.95)
    return RatioSums(np.arange(2), center + unit * half_width / (interval.upper - wide.value()), np.ones((2, 1)))


def test_choose_level_takes_the_narrowest_that_no_wider_one_contradicts() -> None:
    """Values 0, 1, 5 with half-widths 2, 1, .5: 1 stands (1 <= 1 + 1.449 * 2), 5 doesn't (5 > .5 + 1.449 * 2)."""
    by_level = {math.inf: sums_of(0, 2), 10.0: sums_of(1, 1), 2.0: sums_of(5, 0.5)}
    assert choose_level(by_level, confidence=0.95).level == 10.0


def test_choose_level_compares_with_every_wider_level() -> None:
    """A last value near the middle one but far from the first is contradicted by the first."""
    by_level = {math.inf: sums_of(0, 1), 10.0: sums_of(2.4, 0.99), 2.0: sums_of(3.0, 0.9)}
    assert choose_level(by_level, confidence=0.95).level == 10.0


def test_choose_level_stops_at_the_first_contradiction() -> None:
    """A level after one that was contradicted isn't taken, though its own value would stand."""
    by_level = {math.inf: sums_of(0, 1), 10.0: sums_of(5, 0.9), 2.0: sums_of(0, 0.5)}
    assert choose_level(by_level, confidence=0.95).level == math.inf


def test_choose_level_goes_by_width_not_by_level() -> None:
    """Where a stricter level is wider it is tried earlier, and the reported grid is in the order tried."""
    by_level = {math.inf: sums_of(0, 1), 10.0: sums_of(0, 0.3), 2.0: sums_of(0, 0.6)}
    choice = choose_level(by_level, confidence=0.95)
    assert choice.levels == (math.inf, 2.0, 10.0)
    assert choice.level == 10.0
    np.testing.assert_allclose(choice.half_widths, [1, 0.6, 0.3])


def test_choose_level_refuses_a_single_unit() -> None:
    """One shopper's spread is unknown, so no level can be told from another."""
    one = RatioSums(np.arange(1), np.ones((1, 1)), np.ones((1, 1)))
    with pytest.raises(UnsupportedEstimator, match="fewer than two units"):
        choose_level({math.inf: one, 2.0: one})


def test_default_levels_are_quantiles_between_one_and_the_largest_weight() -> None:
    """From no limit down; quantiles under 1 become 1, and equal ones occur once."""
    levels = default_levels(np.concatenate([np.zeros(50), np.full(60, 0.4), np.linspace(1, 100, 40)]))
    assert levels[0] == math.inf
    assert list(levels) == sorted(set(levels), reverse=True)
    assert levels[-1] == 1.0
    assert all(level < 100 for level in levels[1:])


def test_default_levels_leave_equal_weights_alone() -> None:
    """The behavior policy's own weights of 1 get no limit: none could be below them and at least their mean."""
    assert default_levels(np.ones(10)) == (math.inf,)


@pytest.mark.parametrize("name", LEVELED)
def test_a_chosen_level_is_deterministic_and_travels_with_the_report(name: str) -> None:
    """The report of an estimator that limits weights holds its level and all that were tried, as JSON too."""
    problem = bandit()
    behavior, policy = problem.random_policy(1, sharpness=2.0), problem.random_policy(2, sharpness=2.0)
    train, test = (problem.log(behavior, n=300, seed=seed, n_units=100) for seed in (0, 1))
    settings = EvaluationSettings(
        DISCOUNT, estimators=(name, "snips"), resampling=Resampling(n_draws=50), fqe=FqeSettings(method="linear")
    )
    reports = [
        evaluate_policies({"p": policy}, train=train, test=test, settings=settings).report("p", name) for _ in range(2)
    ]
    choice = reports[0].chosen_level
    assert reports[0] == reports[1]
    assert choice is not None
    assert choice.level in choice.levels
    assert len(choice.levels) == len(choice.values) == len(choice.half_widths) > 3
    assert reports[0].value == choice.values[choice.levels.index(choice.level)]
    content = json.loads(json.dumps(reports[0].to_json(), allow_nan=False))
    assert None in content["chosen_level"]["levels"]  # no limit


def test_an_estimator_without_a_level_reports_none() -> None:
    """Only what limits weights at a level of its own says one."""
    problem = bandit()
    sample = sample_of(problem.random_policy(2), problem.log(problem.random_policy(1), n=50, seed=0))
    assert ESTIMATORS["snips"].estimate(sample)[1] is None


def test_a_part_of_a_log_needs_a_given_level() -> None:
    """Two parts would choose two levels, whose sums don't merge."""
    problem = bandit()
    sample = sample_of(problem.random_policy(2), problem.log(problem.random_policy(1), n=50, seed=0))
    at_level = ESTIMATORS["clipped_ips"].at_level
    assert at_level is not None
    with pytest.raises(UnsupportedEstimator, match="chosen on the whole log"):
        sums_at_chosen_level(replace(sample, is_part=True), at_level)


@pytest.mark.parametrize("name", ["clipped_ips", "sg_ips"])
def test_slope_lowers_the_error_where_weights_are_heavy(name: str) -> None:
    """Over 40 logs of 500 rows of a far policy, the root mean squared error is at most 0.7 of that of IPS.

    Seen: .33 of it, with weights up to some hundreds.
    """
    errors = root_mean_squared_errors(name, "ips")
    assert errors[0] < 0.7 * errors[1]


@pytest.mark.parametrize("name", LEVELED)
def test_a_chosen_value_is_near_the_one_without_a_limit(name: str) -> None:
    """On 40 logs no choice strays further than sqrt(6) half-widths from the widest level's value, and some do stray."""
    strayed = 0
    for sample in far_samples():
        choice = ESTIMATORS[name].estimate(sample)[1]
        assert choice is not None
        value = choice.values[choice.levels.index(choice.level)]
        assert abs(value - choice.values[0]) <= math.sqrt(6) * choice.half_widths[0] * (1 + 1e-9)
        strayed += value != choice.values[0]
    assert strayed > 10


def far_samples(n_logs: int = 40) -> list[EvaluationSample]:
    """Logs of 500 rows under a policy far from the log's, with a Q-function that is wrong on purpose."""
    problem = bandit(n_actions=8)
    behavior, policy = problem.random_policy(1, sharpness=2.0), problem.random_policy(2, sharpness=2.0)
    return [
        sample_of(policy, problem.log(behavior, n=500, seed=seed), q=problem.wrong_q(0.7)) for seed in range(n_logs)
    ]


def root_mean_squared_errors(*names: str) -> list[float]:
    problem = bandit(n_actions=8)
    truth = problem.exact_value(problem.random_policy(2, sharpness=2.0))
    samples = far_samples()
    values = [[ESTIMATORS[name].per_unit_sums(sample).value() for sample in samples] for name in names]
    return np.sqrt(np.square(np.array(values) - truth).mean(axis=1)).tolist()
