"""The evaluation of whole nights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rl.commands import evaluate, register
from rl.commands.register import exploration_plan
from rl.errors import DatasetError, EvaluationError
from rl.figures.night import NightFigures, read_figures
from rl.page.content import PolicyReport
from rl.page.review_content import policy_reports, review_content
from rl.page.sentences import guardrail_detail, notes_of
from rl.registry.versions import RegisteredVersion
from tests.rl.commands.conftest import GUARDED, NightHome, made_up_night
from tests.rl.factories import make_pipeline

pytestmark = pytest.mark.xdist_group("nights")


def result_of(night: NightHome) -> NightFigures:
    return read_figures(night.run.evaluation)


def policy_of(result: NightFigures, role: str) -> PolicyReport:
    return next(policy for policy in policy_reports(result) if policy.role == role)


def test_a_better_policy_of_a_logged_night_is_promoted(logged_night: NightHome) -> None:
    """The made-up shop rewards reading the observation: the learned policy passes the gate against the log."""
    result = result_of(logged_night)
    assert result.verdict.decision == "promote"
    assert result.champion_in_force == result.compared_with == "behavior"
    gain = result.gain
    assert gain is not None
    assert gain.lower is not None
    assert gain.lower > 0
    assert gain.value is not None
    assert gain.corrected is not None
    assert gain.corrected <= gain.value
    assert gain.interval is not None
    assert (gain.interval.value, gain.interval.level) == (gain.value, 0.95)
    assert gain.interval.lower < gain.value < gain.interval.upper


def test_the_gain_stands_beside_what_limited_weights_leave(logged_night: NightHome) -> None:
    """Without a limit it is the gate's own gain; each lower limit bites at more decisions."""
    review = result_of(logged_night)
    assert review.gain is not None
    assert review.doubts is not None
    *limited, unlimited = review.doubts.clipping
    assert unlimited.clip is None
    assert unlimited.gain.value == pytest.approx(review.gain.value, rel=1e-9)
    assert [one.clip for one in limited] == sorted(one.clip for one in limited if one.clip is not None)
    shares = [one.share_clipped for one in (*limited, unlimited)]
    assert shares == sorted(shares, reverse=True)
    assert limited


def test_a_night_that_promotes_has_nothing_to_explore(logged_night: NightHome) -> None:
    assert result_of(logged_night).exploration is None


def test_a_night_held_up_by_its_floors_plans_what_to_explore(logged_night: NightHome, tmp_path: Path) -> None:
    """The same log under floors that it doesn't reach: a plan with its forecast, or in words why there is none."""
    pipeline = make_pipeline("canonical", **GUARDED | {"gate": GUARDED["gate"] | {"min_effective_sample_size": 2_000}})
    night = replace(logged_night.copied_to(tmp_path / "home"), pipeline=pipeline)
    assert night.command(evaluate)["verdict"] == "abstain"
    result = result_of(night)
    found = result.exploration
    assert found is not None
    assert found.refusal is None
    assert found.nights is not None
    assert 1 <= found.nights <= found.planned_nights
    assert max(one.share for one in found.shoppers) <= 0.2
    assert sum(one.part for one in found.shoppers) == pytest.approx(1.0)
    assert not found.is_allowed
    version = RegisteredVersion("recommendation-policy", 4, {}, "", "")
    # Nothing is champion, so no service could follow it; beside a champion it could.
    assert exploration_plan(result, version) is None
    plan = exploration_plan(result.model_copy(update={"champion_in_force": "3", "compared_with": "3"}), version)
    assert plan is not None
    assert (plan.version, plan.champion, plan.dimension) == (4, 3, found.dimension)
    assert plan.shares == {one.label: one.share for one in found.shoppers}
    assert (plan.last_day - night.run_date).days == found.planned_nights


def test_validation_chooses_and_test_reports(logged_night: NightHome) -> None:
    """Candidates are compared on validation episodes at every temperature; the report is of the chosen one alone."""
    result = result_of(logged_night)
    sizes = {split.name: split.n_episodes for split in result.data.splits}
    assert {report.n_episodes for report in result.validation_reports} == {sizes["validation"]}
    assert {report.n_episodes for report in result.reports} == {sizes["test"]}
    assert len({report.policy for report in result.validation_reports}) == 4
    assert {report.policy for report in result.reports} == {"behavior", result.selected.name}


def test_the_selected_candidate_is_the_one_of_which_most_may_ship(logged_night: NightHome) -> None:
    """Its temperature by what all of its temperatures say together; others stand at their own best by itself."""
    result = result_of(logged_night)
    selected = next(row for row in result.candidates if row.is_selected)
    others = [row for row in result.candidates if not row.is_selected]
    assert selected.gain_to_ship is not None
    assert selected.shared_gain_to_ship is not None
    assert selected.shared_gain_to_ship > 0
    assert all(row.shared_gain_to_ship is None for row in others)
    assert (selected.name, selected.temperature) == (result.selected.name, result.selected.temperature)


def test_every_estimator_has_a_value_or_a_refusal(logged_night: NightHome) -> None:
    """Each estimator is on the page with an interval or with its reason; the gate's is marked."""
    candidate = policy_of(result_of(logged_night), "candidate")
    assert {estimate.estimator for estimate in candidate.estimates} == {
        "dm",
        "tis",
        "pdis",
        "wis",
        "wpdis",
        "dr",
        "wdr",
        "drl_s",
    }
    assert all((estimate.value is None) == (estimate.refusal is not None) for estimate in candidate.estimates)
    assert [estimate.estimator for estimate in candidate.estimates if estimate.is_gate] == ["dr"]


@pytest.mark.parametrize(
    ("n_users", "source", "has_propensity"),
    [(1, "canonical", True), (1, "canonical", False), (3, "canonical", False), (1, "taobao", False)],
)
def test_a_log_of_few_shoppers_abstains(tmp_path: Path, n_users: int, source: str, has_propensity: bool) -> None:
    """Nights that no estimator can judge end like any other: refusals on the page, and a gate that abstains."""
    few = {"candidates": [{"algorithm": "bc", "seeds": [1], "n_updates": 20, "hidden_units": [8]}]}
    pipeline = make_pipeline(source, **{**GUARDED, **few}, action={"key": "item", "max_actions": 50})
    night = made_up_night(tmp_path / "home", pipeline, has_propensity=has_propensity, n_episodes=8, n_users=n_users)
    assert night.command(evaluate)["verdict"] == "abstain"
    result = result_of(night)
    if n_users == 1:
        assert {report.value for report in result.reports} == {None}
        assert "at least two units" in str(policy_of(result, "candidate").estimates[0].refusal)
    if not has_propensity:
        assert result.propensities.source == "none"
    assert result.exploration is not None
    assert result.exploration.refusal


def test_a_second_opinion_stands_beside_the_gate_s(logged_night: NightHome) -> None:
    """The gate's own gain comes first, at the page's level; an estimator by state agrees that there is one."""
    result = result_of(logged_night)
    opinions, gain = result.opinions, result.gain
    assert opinions is not None
    assert gain is not None
    gate, by_state = opinions.rows
    assert (gate.estimator, gate.is_gate, by_state.estimator) == ("dr", True, "drl_s")
    assert gate.gain is not None
    assert gate.gain.value == pytest.approx(gain.value)
    assert by_state.gain is not None
    assert by_state.gain.lower > 0
    marked = [one.estimator for one in policy_of(result, "candidate").estimates if one.is_second_opinion]
    assert marked == ["drl_s"]
    assert {report.policy for report in result.second_reports if report.estimator == "drl_s"} == {
        "behavior",
        result.selected.name,
    }


def test_single_decisions_are_weighted_by_category_too(one_step_night: NightHome) -> None:
    """In the made-up shop a category decides what is earned: MIPS sees the gain, after the estimators of one step."""
    result = result_of(one_step_night)
    opinions = result.opinions
    assert opinions is not None
    by_category = opinions.rows[-1]
    assert by_category.estimator == "mips"
    assert by_category.gain is not None
    assert by_category.gain.lower > 0
    estimates = {estimate.estimator: estimate for estimate in policy_of(result, "candidate").estimates}
    assert {"snips", "switch_dr", "mips"} <= set(estimates)
    assert estimates["mips"].value is not None


def test_estimated_propensities_widen_second_opinions(estimated_night: NightHome) -> None:
    """The gate's gain is that of the evidence, widened alike, and the other's errors grow by what estimating adds."""
    result = result_of(estimated_night)
    reports = {report.estimator: report for report in result.second_reports if report.policy == result.selected.name}
    assert reports["drl_s"].behavior_standard_error > 0
    assert "widened for estimated propensities" in reports["drl_s"].interval_method


def test_implied_decisions_have_no_second_opinions(implied_night: NightHome) -> None:
    """Each says why."""
    opinions = result_of(implied_night).opinions
    assert opinions is not None
    assert all("implied" in str(row.refusal) for row in opinions.rows)


def test_returns_are_told_beside_the_baseline_s(logged_night: NightHome, tmp_path: Path) -> None:
    """Both distributions stand on the same points; the log's own mean is what it earned.

    A policy near the log's: whole episodes are weighted, of which few look like those of a bolder one.
    """
    mild = logged_night.pipeline.scenario.policy.model_copy(update={"temperatures": (2.0,)})
    pipeline = logged_night.pipeline.model_copy(
        update={"scenario": logged_night.pipeline.scenario.model_copy(update={"policy": mild})}
    )
    night = replace(logged_night.copied_to(tmp_path / "home"), pipeline=pipeline)
    night.command(evaluate)
    result = result_of(night)
    returns = result.returns
    assert returns is not None
    assert returns.refusal is None
    assert [policy.role for policy in returns.policies] == ["candidate", "behavior"]
    assert all(len(policy.cdf) == len(returns.points) for policy in returns.policies)
    on_policy = next(one for one in policy_of(result, "behavior").estimates if one.estimator == "on_policy")
    assert returns.policies[1].mean.value == pytest.approx(on_policy.value)


def test_implied_decisions_have_no_distribution_of_returns(implied_night: NightHome) -> None:
    """Nothing tells how likely the logged decisions were, and the page says so."""
    returns = result_of(implied_night).returns
    assert returns is not None
    assert "implied" in str(returns.refusal)


def test_the_page_has_what_was_limited_and_cut(logged_night: NightHome) -> None:
    """Limit, how often it bites and the share of cut episodes are the report's own."""
    result = result_of(logged_night)
    overlap = policy_of(result, "candidate").overlap
    report = next(one for one in result.reports if (one.policy, one.estimator) == (result.selected.name, "dr"))
    assert overlap is not None
    assert overlap.share_cut == report.share_cut > 0
    assert (overlap.weight_clip, overlap.share_clipped) == (report.clip, report.share_clipped) == (None, 0)


def test_action_shares_sum_to_one(logged_night: NightHome) -> None:
    """With fewer actions than are listed, the shares of log and candidate are whole."""
    actions = result_of(logged_night).actions
    assert sum(row.log for row in actions) == pytest.approx(1)
    assert sum(row.candidate for row in actions) == pytest.approx(1)


def test_implied_decisions_abstain_and_predict(implied_night: NightHome) -> None:
    """Weighted estimators refuse with a reason, the direct method is a prediction, the verdict is abstain."""
    result = result_of(implied_night)
    assert result.verdict.decision == "abstain"
    assert "does not record" in result.verdict.reasons[0]
    assert result.gain is None
    estimates = {estimate.estimator: estimate for estimate in policy_of(result, "candidate").estimates}
    assert estimates["dm"].is_prediction
    assert all("implied" in str(estimates[name].refusal) for name in ("tis", "pdis", "wis", "wpdis", "dr", "wdr"))
    assert result.propensities.source == "none"


def test_implied_decisions_are_ranked_beside_baselines(implied_night: NightHome) -> None:
    """Hit rate and NDCG of the policy stand beside item-kNN and popularity, on the same decisions."""
    ranking = review_content(result_of(implied_night)).ranking
    assert [row.name for row in ranking if row.is_baseline] == ["item-kNN", "popularity"]
    assert len({row.n for row in ranking}) == 1
    assert all(0 < row.ndcg <= row.hit_rate <= 1 for row in ranking)


def test_missing_propensities_are_estimated_and_calibrated(estimated_night: NightHome) -> None:
    """Logged decisions without propensities get estimated ones; the estimators work and the calibration is reported."""
    result = result_of(estimated_night)
    assert result.propensities.source == "estimated"
    assert result.propensities.calibration
    assert result.propensities.log_loss == pytest.approx(result.propensities.log_loss_uniform, rel=0.2)
    assert result.propensities.misplaced_share is not None
    assert 0 < result.propensities.misplaced_share < 0.5
    estimates = {estimate.estimator: estimate for estimate in policy_of(result, "candidate").estimates}
    assert estimates["dr"].value is not None


def test_a_guardrail_on_a_fall_is_kept_by_a_better_policy(logged_night: NightHome, estimated_night: NightHome) -> None:
    """More clicks are earned, and the lower bound shows it, with propensities logged or estimated."""
    for night in (logged_night, estimated_night):
        result = result_of(night)
        (rail,) = result.guardrails
        assert (rail.metric, rail.max_relative_increase, rail.max_relative_decrease) == ("clicks", None, 0.1)
        assert rail.is_kept
        assert "fall" in guardrail_detail(rail)
        names = {check.name: check.is_passed for check in result.verdict.checks}
        assert names["guardrail_clicks_fall"] is True


def test_estimated_propensities_come_close_to_logged_ones(logged_night: NightHome, estimated_night: NightHome) -> None:
    """The same episodes evaluated with estimated propensities give a value within the logged ones' interval."""
    logged, estimated = (
        {report.estimator: report for report in result_of(night).reports if report.policy == "discrete_cql-1"}
        for night in (logged_night, estimated_night)
    )
    assert logged["dr"].lower < estimated["dr"].value < logged["dr"].upper


def test_simulated_night_has_true_values_inside_their_intervals(simulated_night: NightHome) -> None:
    """The log's own mean covers the true behavior value, and doubly robust the candidate's (one fixed seed each)."""
    result = result_of(simulated_night)
    behavior, candidate = policy_of(result, "behavior"), policy_of(result, "candidate")
    for policy, estimator in ((behavior, "on_policy"), (candidate, "dr")):
        assert policy.truth is not None
        estimate = next(one for one in policy.estimates if one.estimator == estimator)
        assert estimate.lower is not None
        assert estimate.upper is not None
        assert estimate.lower < policy.truth.value < estimate.upper
        assert policy.truth.standard_error < 0.1 * policy.truth.value


def test_evaluating_again_gives_the_same_file(logged_night: NightHome, tmp_path: Path) -> None:
    """Nothing in the evaluation depends on when it runs, seeds fixed."""
    night = logged_night.copied_to(tmp_path / "home")
    before = result_of(night)
    night.command(evaluate)
    assert result_of(night) == before


def test_candidates_must_be_trained_on_this_dataset(logged_night: NightHome, tmp_path: Path) -> None:
    """All candidates that are missing or were trained on other data are named at once."""
    night = logged_night.copied_to(tmp_path / "home")
    (night.run.candidate("bc-1") / "result.json").unlink()
    path = night.run.candidate("discrete_cql-1") / "result.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "dataset_digest": "other"}), encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"bc-1 has no result .*; discrete_cql-1 was trained on dataset other"):
        night.command(evaluate)


def test_an_unprepared_night_is_one_clear_error(logged_night: NightHome, tmp_path: Path) -> None:
    """Without a dataset the message says which command to run first."""
    night = NightHome(tmp_path, logged_night.pipeline, logged_night.run_date)
    with pytest.raises(DatasetError, match="run prepare"):
        night.command(evaluate)


def test_the_evaluation_explains_the_selected_policy(logged_night: NightHome) -> None:
    """Features, examples, a test of the reasons and departures come with the night; the reasons stand that test."""
    explanation = result_of(logged_night).explanation
    assert explanation is not None
    assert explanation.refusal is None
    assert explanation.removal is not None
    assert explanation.removal.is_faithful
    assert len(explanation.examples) == 3
    assert explanation.departures is not None
    assert explanation.departures.overall is not None
    # In the made-up shop the recent engagement alone tells what a shopper likes.
    engaged = {"recent_engaged_items", "recent_engaged_categories"}
    assert {weight.feature for weight in explanation.features[:3]} & engaged


def test_an_example_adds_up_to_its_margin(logged_night: NightHome) -> None:
    """Start, contributions and the rest are the margin, within the gap that is stated."""
    explanation = result_of(logged_night).explanation
    assert explanation is not None
    for example in explanation.examples:
        total = example.start + sum(one.log_odds for one in example.contributions) + example.others
        assert total == pytest.approx(example.margin, abs=explanation.largest_gap + 1e-9)


def test_segments_divide_the_test_episodes(logged_night: NightHome) -> None:
    """Each dimension's segments hold every test episode once, with a gain or a reason in each."""
    review = result_of(logged_night)
    segments = review.segments
    assert segments is not None
    n_test = next(split.n_episodes for split in review.data.splits if split.name == "test")
    for dimension in {row.dimension for row in segments.rows}:
        assert sum(row.n_episodes for row in segments.rows if row.dimension == dimension) == n_test
    assert all((row.gain is None) == (row.refusal is not None) for row in segments.rows)
    assert segments.n_shown == sum(row.gain is not None for row in segments.rows) > 0


def test_support_shares_are_whole(logged_night: NightHome) -> None:
    """All decisions of log and candidate are in one band or another, and the weights are drawn."""
    support = result_of(logged_night).support
    assert support is not None
    assert sum(band.candidate for band in support.bands) == pytest.approx(1)
    assert sum(band.log for band in support.bands) == pytest.approx(1)
    assert support.weights is not None


def test_implied_decisions_have_no_segments_departures_or_weights(implied_night: NightHome) -> None:
    """What needs propensities says in one sentence that the decisions are implied; what the policy looks at remains."""
    review = result_of(implied_night)
    assert review.segments is not None
    assert review.explanation is not None
    assert review.explanation.departures is not None
    assert review.support is not None
    for refusal in (review.segments.refusal, review.explanation.departures.refusal, review.support.weights_refusal):
        assert "implied" in str(refusal)
    assert review.explanation.features


def test_a_candidate_that_failed_is_left_out_and_named(logged_night: NightHome, tmp_path: Path) -> None:
    """Once training is over, evaluation and registration go on with those that were trained; before, it is an error."""
    night = logged_night.copied_to(tmp_path / "home")
    (night.run.candidate("bc-1") / "result.json").unlink()
    with pytest.raises(EvaluationError, match="bc-1 has no result"):
        night.command(evaluate)
    night.command(evaluate, is_training_over=True)
    review = result_of(night)
    assert [row.name for row in review.candidates] == ["discrete_cql-1"]
    assert "Left out, as its training failed or took too long: bc-1." in notes_of(review)
    assert night.command(register)["version"] == 1


def test_a_night_without_any_trained_candidate_is_an_error(logged_night: NightHome, tmp_path: Path) -> None:
    """There is nothing to choose from: every candidate is named."""
    night = logged_night.copied_to(tmp_path / "home")
    for name in ("bc-1", "discrete_cql-1"):
        (night.run.candidate(name) / "result.json").unlink()
    with pytest.raises(EvaluationError, match=r"bc-1 has no result.*discrete_cql-1 has no result"):
        night.command(evaluate, is_training_over=True)
