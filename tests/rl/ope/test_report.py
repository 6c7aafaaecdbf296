from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from conf.specs.problem import DiscountRate
from conf.specs.scenario import load_pipeline
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.estimators.registry import ESTIMATORS, nightly_estimators
from rl.ope.intervals.intervals import Resampling, percentile_interval
from rl.ope.intervals.sums import difference
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from tests.rl.ope.tabular_mdp import TablePolicy, TabularMdp, small_mdp

SETTINGS = EvaluationSettings(
    discount=DiscountFunction(0.9),
    steps=40,
    resampling=Resampling(n_draws=200),
    fqe=FqeSettings(method="linear", ridge=0.1),
)


@pytest.fixture(scope="module")
def mdp() -> TabularMdp:
    return small_mdp(end_probability=0.25)


@pytest.fixture(scope="module")
def policies(mdp: TabularMdp) -> dict[str, TablePolicy]:
    return {"cql-1": mdp.random_policy(2, version="cql-1"), "bc-1": mdp.random_policy(3, version="bc-1")}


@pytest.fixture(scope="module")
def splits(mdp: TabularMdp) -> tuple[LoggedEpisodes, LoggedEpisodes]:
    """Train and test, one episode in ten or so cut after six steps, with a side metric."""
    behavior = mdp.random_policy(1, sharpness=0.7)
    logs = [mdp.log(behavior, n_episodes=4000, seed=seed, max_steps=6, n_units=1500) for seed in (0, 1)]
    train, test = (replace(log, metrics={"refunds": (log.action == 1).astype(np.float64)}) for log in logs)
    return train, test


@pytest.fixture(scope="module")
def evaluation(policies: dict[str, TablePolicy], splits: tuple[LoggedEpisodes, LoggedEpisodes]) -> PolicyEvaluation:
    return evaluate_policies(policies, train=splits[0], test=splits[1], settings=SETTINGS)


def test_evaluate_policies_reports_every_policy_and_estimator(evaluation: PolicyEvaluation) -> None:
    """Candidates run through all of a night's estimators but the log's own mean, the behavior policy through all."""
    found = {(report.policy, report.estimator) for report in evaluation.reports}
    nightly = set(nightly_estimators())
    candidates = {(policy, name) for policy in ("cql-1", "bc-1") for name in nightly - {"on_policy"}}
    assert found == {(BEHAVIOR, name) for name in nightly} | candidates
    blind = {"tis", "pdis", "wis", "wpdis"}  # a fifth of the episodes is cut, and these don't look past a cut
    assert set(evaluation.sums) == {(policy, name) for policy, name in found if name not in blind}
    refused = {report.refusal for report in evaluation.reports if report.estimator in blind}
    assert all(reason is not None and "use dr or wdr, which look past a cut" in reason for reason in refused)


@pytest.mark.parametrize("name", ["dm", "dr", "wdr"])
@pytest.mark.parametrize("policy", ["cql-1", "bc-1", BEHAVIOR])
def test_evaluate_policies_finds_the_true_values(
    evaluation: PolicyEvaluation, mdp: TabularMdp, policies: dict[str, TablePolicy], name: str, policy: str
) -> None:
    """Estimates that look past the cut are within 4 standard errors of the exact value, DM within 0.25.

    DM's standard error leaves out the error of the fit, hence its own tolerance.
    """
    judged = policies[policy] if policy in policies else mdp.random_policy(1, sharpness=0.7)
    report = evaluation.report(policy, name)
    truth = mdp.exact_value(judged, gamma=0.9)
    assert report.value is not None
    assert report.standard_error is not None
    assert abs(report.value - truth) < (0.25 if name == "dm" else 4 * report.standard_error)


def test_report_counts_what_the_value_rests_on(
    evaluation: PolicyEvaluation, splits: tuple[LoggedEpisodes, LoggedEpisodes]
) -> None:
    """Episodes, units, overlap, steps and cut episodes are stated beside the value."""
    test = splits[1]
    report, own = evaluation.report("cql-1", "wpdis"), evaluation.report(BEHAVIOR, "on_policy")
    assert (report.n_episodes, report.n_units, report.steps) == (4000, 1500, 40)
    assert report.share_cut == pytest.approx(test.timeout.sum() / 4000)
    assert 0.05 < report.share_cut < 0.5
    assert not report.is_bootstrapped_at_cut
    assert evaluation.report("cql-1", "dr").is_bootstrapped_at_cut
    assert report.effective_sample_size is not None
    assert own.effective_sample_size is not None
    assert 10 < report.effective_sample_size < own.effective_sample_size <= 1500
    assert report.mean_weight == pytest.approx(1, abs=0.3)
    assert (own.mean_weight, own.max_weight, own.share_outside_support) == (1.0, 1.0, 0.0)
    assert report.share_outside_support == 0


def test_reports_are_json(evaluation: PolicyEvaluation) -> None:
    """Every report is plain JSON without NaN."""
    loaded = json.loads(json.dumps([report.to_json() for report in evaluation.reports], allow_nan=False))
    assert loaded[0]["policy"] == BEHAVIOR
    assert replace(evaluation.reports[0], standard_error=float("nan")).to_json()["standard_error"] is None


def test_differences_pair_all_policies(evaluation: PolicyEvaluation) -> None:
    """Any two sets of sums rest on the same units, and a policy differs from itself by nothing."""
    own = evaluation.sums["cql-1", "dr"]
    interval = percentile_interval(difference(own, own), level=0.95, resampling=Resampling(n_draws=50))
    assert (interval.lower, interval.upper) == (0, 0)
    difference(evaluation.sums["cql-1", "dr"], evaluation.sums[BEHAVIOR, "dr"])


def test_implied_decisions_leave_only_predictions(
    policies: dict[str, TablePolicy], splits: tuple[LoggedEpisodes, LoggedEpisodes]
) -> None:
    """Weighted estimators refuse with a reason, DM is marked a prediction, and no overlap is claimed."""
    implied = [replace(log, propensity=np.full(log.n_transitions, np.nan)) for log in splits]
    found = evaluate_policies(policies, train=implied[0], test=implied[1], settings=SETTINGS, is_logged=False)
    for name in nightly_estimators():
        if ESTIMATORS[name].needs_weights:
            report = found.report("bc-1", name)
            assert report.value is None
            assert "implied" in (report.refusal or "")
    prediction = found.report("bc-1", "dm")
    assert prediction.is_prediction
    assert prediction.value is not None
    assert prediction.effective_sample_size is None
    assert found.report(BEHAVIOR, "on_policy").value is not None


def test_a_side_metric_is_valued_like_the_reward(
    evaluation: PolicyEvaluation, policies: dict[str, TablePolicy], splits: tuple[LoggedEpisodes, LoggedEpisodes]
) -> None:
    """`outcome` names the metric; its values are those of the metric, on the same units."""
    found = evaluate_policies(policies, train=splits[0], test=splits[1], settings=SETTINGS, outcome="refunds")
    test = splits[1]
    expected = np.add.reduceat(0.9**test.step * test.metrics["refunds"], test.offsets[:-1]).mean()
    assert found.report(BEHAVIOR, "on_policy").value == pytest.approx(expected)
    assert found.report("cql-1", "dr").outcome == "refunds"
    difference(found.sums["cql-1", "dr"], evaluation.sums["cql-1", "dr"])
    with pytest.raises(EvaluationError, match="no metric 'returns'; known are refunds"):
        evaluate_policies(policies, train=splits[0], test=test, settings=SETTINGS, outcome="returns")


def test_a_single_unit_is_refused_by_every_estimator(
    policies: dict[str, TablePolicy], splits: tuple[LoggedEpisodes, LoggedEpisodes]
) -> None:
    """One shopper tells no spread: that is a refusal in each report, with what is known beside it, and no error."""
    alone = replace(splits[1], unit=np.zeros(splits[1].n_episodes, dtype=np.int64))
    found = evaluate_policies(policies, train=splits[0], test=alone, settings=replace(SETTINGS, steps=6))
    assert not found.sums
    assert {(one.value, one.lower, one.n_units) for one in found.reports} == {(None, None, 1)}
    assert {one.refusal for one in found.reports} == {"an interval needs at least two units to resample, got 1"}


def test_no_policy_may_be_named_behavior(
    policies: dict[str, TablePolicy], splits: tuple[LoggedEpisodes, LoggedEpisodes]
) -> None:
    """The name is taken by the policy that made the log."""
    with pytest.raises(EvaluationError, match="behavior"):
        evaluate_policies({BEHAVIOR: policies["bc-1"]}, train=splits[0], test=splits[1], settings=SETTINGS)


def test_settings_follow_the_scenario() -> None:
    """Discount, steps, clip, confidence, draws and updates are those of the spec."""
    scenario = load_pipeline("recommendation", "simulated_shop").scenario
    found = EvaluationSettings.from_scenario(scenario, seed=3)
    assert found.discount == DiscountFunction(scenario.discount.gamma)
    by_day = scenario.model_copy(update={"discount": DiscountRate(per="day", gamma=0.8)})
    assert EvaluationSettings.from_scenario(by_day).discount == DiscountFunction(0.8, "day")
    assert (found.steps, found.weight_clip) == (scenario.evaluation.steps, scenario.evaluation.weight_clip)
    assert (found.confidence, found.resampling) == (0.95, Resampling(scenario.evaluation.n_bootstrap, 3))
    assert found.fqe.n_updates == scenario.evaluation.fqe_updates


def test_evaluate_policies_with_a_stand_in_stays_unbiased(
    mdp: TabularMdp, policies: dict[str, TablePolicy], splits: tuple[LoggedEpisodes, LoggedEpisodes]
) -> None:
    """Another policy's Q-function steadies the doubly robust estimate without moving it; both share one fit."""
    shared = evaluate_policies(
        policies,
        train=splits[0],
        test=splits[1],
        settings=SETTINGS,
        stand_ins=dict.fromkeys(policies, policies["cql-1"]),
    )
    assert shared.fits["bc-1"] is shared.fits["cql-1"]
    truth = mdp.exact_value(policies["bc-1"], gamma=0.9)
    report = shared.report("bc-1", "dr")
    assert report.value is not None and report.standard_error is not None
    # Four standard errors: a fixed seed, so the test either always holds or never.
    assert abs(report.value - truth) < 4 * report.standard_error


def test_marginalized_estimators_run_where_they_are_asked_for(
    policies: dict[str, TablePolicy], splits: tuple[LoggedEpisodes, LoggedEpisodes], mdp: TabularMdp
) -> None:
    """Ratios are cross-fitted on the test split, and the estimates hold the true value; a refusal is reported."""
    asked = replace(SETTINGS, estimators=("mis_sa", "drl_s"))
    found = evaluate_policies(policies, train=splits[0], test=splits[1], settings=asked)
    truth = mdp.exact_value(policies["cql-1"], gamma=0.9)
    drl = found.report("cql-1", "drl_s")
    assert drl.lower is not None
    assert drl.upper is not None
    assert drl.lower < truth < drl.upper
    assert found.report("cql-1", "mis_sa").value == pytest.approx(truth, rel=0.1)
    few = replace(splits[1], unit=splits[1].unit % 2)
    refused = evaluate_policies(policies, train=splits[0], test=few, settings=asked)
    assert "too few for 5 folds" in str(refused.report("cql-1", "drl_s").refusal)


def test_policies_reported_together_are_valued_as_each_alone(
    policies: dict[str, TablePolicy], splits: tuple[LoggedEpisodes, LoggedEpisodes]
) -> None:
    """Neural Q-functions fitted in one pass change no value or bound by more than 1e-5."""
    train, test = splits
    settings = replace(SETTINGS, steps=6, fqe=FqeSettings(n_updates=40, n_rounds=4, batch_size=256, hidden=(16, 16)))
    together = evaluate_policies(policies, train=train, test=test, settings=settings)
    alone = [
        evaluate_policies({name: policy}, train=train, test=test, settings=settings, has_behavior=name == "cql-1")
        for name, policy in policies.items()
    ]
    expected = [report for part in alone for report in part.reports]
    assert [(found.policy, found.estimator) for found in together.reports] == [
        (report.policy, report.estimator) for report in expected
    ]
    for found, report in zip(together.reports, expected, strict=True):
        for name in ("value", "lower", "upper"):
            assert getattr(found, name) == pytest.approx(getattr(report, name), rel=1e-5, abs=1e-5)
