"""The coverage bench says of a log what a night's report says of it, and its truths are those of its shop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.gate.propensity_doubt import propensity_doubt
from rl.ope.contenders import Contender
from rl.ope.intervals.intervals import Interval, Resampling
from rl.ope.propensities.behavior_policy import EstimatedBehavior, estimate_behavior
from rl.ope.report import EvaluationSettings, PolicyEvaluation, evaluate_policies
from tests.bench.gate.shop import GAMMA, STEPS
from tests.bench.ope.samples import FORMS, LINEAR, FittedValues, fit_values
from tests.bench.ope.shop import policy, reward_kinds, session_log, true_decision_value, true_value
from tests.bench.ope.trial import BEHAVIOR, NIGHTLY, NOT_WIDENED, LogTrial, outcomes

N, SEED = 300, 1
KINDS = ("clicks", "large orders")
ESTIMATORS = FORMS["sessions"].estimators


@pytest.fixture(scope="module")
def train() -> LoggedEpisodes:
    return session_log(400, 10)


@pytest.fixture(scope="module")
def values(train: LoggedEpisodes) -> FittedValues:
    return fit_values(train, "sessions", kinds=KINDS)


@pytest.fixture(scope="module")
def test_log() -> LoggedEpisodes:
    return session_log(N, 11)


@pytest.fixture(scope="module")
def estimated(test_log: LoggedEpisodes) -> EstimatedBehavior:
    return estimate_behavior(replace(test_log, propensity=np.full(test_log.n_transitions, np.nan)), BEHAVIOR)


def by_row(trial: LogTrial) -> dict[tuple[str, str, str], Interval]:
    return {(one.row.log, one.row.estimator, one.row.method): one.interval for one in outcomes([trial])}


def reported(train: LoggedEpisodes, test: LoggedEpisodes, kind: str) -> PolicyEvaluation:
    settings = EvaluationSettings(
        DiscountFunction(GAMMA), steps=STEPS, estimators=ESTIMATORS, fqe=LINEAR, resampling=Resampling(seed=SEED)
    )
    return evaluate_policies(
        {"candidate": policy()}, train=train, test=test, settings=settings, outcome=kind, keeps_samples=True
    )


@pytest.mark.parametrize("kind", KINDS)
def test_intervals_are_those_of_a_nights_report(
    train: LoggedEpisodes, test_log: LoggedEpisodes, values: FittedValues, kind: str
) -> None:
    """Value and bounds of every estimator agree with the report on the same log, with the same draws."""
    found = by_row(LogTrial(test_log, "sessions", values, n=N, seed=SEED))
    evaluation = reported(train, test_log, kind)
    for name in ESTIMATORS:
        report, interval = evaluation.report("candidate", name), found[kind, name, NIGHTLY]
        assert (interval.value, interval.lower, interval.upper) == pytest.approx(
            (report.value, report.lower, report.upper), rel=1e-9
        )


@pytest.mark.parametrize("name", ["wpdis", "dr"])
def test_intervals_are_widened_as_a_nights_report_widens_them(
    train: LoggedEpisodes,
    test_log: LoggedEpisodes,
    values: FittedValues,
    estimated: EstimatedBehavior,
    name: str,
) -> None:
    """With estimated propensities, bounds agree with those that the night's doubt of them leaves."""
    found = by_row(LogTrial(test_log, "sessions", values, n=N, seed=SEED, fits=estimated.repeats))
    evaluation = reported(train, estimated.episodes, KINDS[0])
    contender = Contender("candidate", policy(), train, estimated.episodes)
    doubt = propensity_doubt([evaluation], [contender], estimated.repeats)
    report, interval = doubt.widened(evaluation).report("candidate", name), found[KINDS[0], name, NIGHTLY]
    assert (interval.lower, interval.upper) == pytest.approx((report.lower, report.upper), rel=1e-9)
    plain = found[KINDS[0], name, NOT_WIDENED]
    assert interval.upper - interval.lower > plain.upper - plain.lower


@pytest.mark.parametrize("kind", [name for name in reward_kinds() if name != "boundless baskets"])
def test_logs_earn_what_the_tables_say(kind: str) -> None:
    """Mean rewards per session and per decision lie within 4 standard errors, clustered by shopper, of exact values."""
    log = session_log(20_000, 5)
    discounted = log.metrics[kind] * GAMMA**log.step
    per_session = np.bincount(log.episode, weights=discounted) - true_value(kind, of_behavior=True)
    per_decision = log.metrics[kind] - true_decision_value(kind, of_behavior=True)
    for values, unit in ((per_session, log.unit), (per_decision, log.unit[log.episode])):
        error = np.sqrt(np.square(np.bincount(unit, weights=values)).sum()) / len(values)
        assert abs(values.mean()) < 4 * error
