"""A candidate's value by who made the log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.gate.evidence import gate_evidence
from rl.gate.rules import GateEvidence
from rl.night.doubts.loggers import LoggersReport, night_loggers
from rl.ope.contenders import Contender
from rl.ope.intervals.intervals import Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from tests.rl.factories import make_pipeline
from tests.rl.ope.two_loggers import POLICY, PROBLEM, two_logs

SETTINGS = EvaluationSettings(
    DiscountFunction(1.0), estimators=("wpdis", "dr"), resampling=Resampling(200), fqe=FqeSettings(method="linear")
)


def night(test: LoggedEpisodes, estimator: str = "dr") -> tuple[GateEvidence, PolicyEvaluation, Contender]:
    train = two_logs(500, 500, seed=50)
    evaluation = evaluate_policies({"candidate": POLICY}, train=train, test=test, settings=SETTINGS, keeps_samples=True)
    evidence = gate_evidence(
        evaluation,
        {},
        candidate="candidate",
        baseline=BEHAVIOR,
        estimator=estimator,
        gate=make_pipeline().scenario.gate,
        alpha=0.05,
        unit_of_value="points",
    )
    return evidence, evaluation, Contender("candidate", POLICY, train, test)


def found(test: LoggedEpisodes, estimator: str = "dr") -> LoggersReport:
    report = night_loggers(*night(test, estimator))
    assert report is not None
    return report


def test_night_loggers_values_each_version_apart() -> None:
    """Shares add up to 1, the version near the candidate counts for more, and the mean is near the true value."""
    report = found(two_logs(2000, 2000))
    assert report.by_logger is not None
    assert report.value is not None
    assert report.by_logger.versions == ("near", "far")
    assert sum(report.by_logger.shares) == pytest.approx(1.0)
    assert report.by_logger.shares[0] > report.by_logger.shares[1]
    assert report.value.value == pytest.approx(np.dot(report.by_logger.values, report.by_logger.shares))
    # Four standard errors: a wrong answer about once in 16,000 logs.
    assert report.value.value == pytest.approx(PROBLEM.exact_value(POLICY), abs=4 * report.value.standard_error)


def test_night_loggers_is_silent_of_a_single_version() -> None:
    test = two_logs(200, 200)
    one = replace(test, policy_version=np.zeros_like(test.policy_version))
    assert night_loggers(*night(one)) is None


def test_night_loggers_is_silent_where_the_gate_uses_no_weights() -> None:
    evidence, evaluation, candidate = night(two_logs(200, 200))
    assert night_loggers(replace(evidence, estimator="dm"), evaluation, candidate) is None
    assert night_loggers(replace(evidence, is_logged=False), evaluation, candidate) is None


def test_night_loggers_gives_the_reason_where_nothing_can_be_weighted() -> None:
    """Unknown propensities: no value, but the reason."""
    test = two_logs(200, 200)
    never = replace(test, propensity=np.full(len(test.action), np.nan))
    evidence, evaluation, candidate = night(never)
    report = night_loggers(replace(evidence, is_logged=True), evaluation, candidate)
    assert report is not None
    assert report.value is None
    assert report.refusal is not None
    assert "propensities" in report.refusal
