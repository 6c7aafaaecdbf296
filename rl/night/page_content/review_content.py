"""The review page's content, from a night's dataset, selection, evaluation and truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from conf.scenario import Pipeline
from rl.gate.rules import Decision, GuardrailEvidence
from rl.learning.trained_candidates import LoadedCandidate
from rl.night.action_shares import ActionShares
from rl.night.checkpoint_choice import ChosenCheckpoint
from rl.night.evaluation import NightEvaluation
from rl.night.selection import Selection
from rl.night.truth import TrueValues
from rl.ope.policy_value import PolicyValueReport
from rl.ope.propensities.calibration import CalibrationReport
from rl.ope.ranking import RankingReport
from rl.ope.report import BEHAVIOR
from rl.page.content import (
    ActionShare,
    CalibrationBin,
    CandidateRow,
    Estimate,
    Gain,
    Guardrail,
    Judgment,
    Night,
    Overlap,
    PolicyReport,
    Propensities,
    Ranking,
    Role,
    TrueValue,
)
from rl.page.wording import share
from rl.shops.recommendation.true_value import TrueValue as PlayedValue

BEHAVIOR_NAME = "behavior policy"
SHOWN_ACTIONS = 50
BASELINE_RANKERS = ("popularity", "item-kNN")


def night_of(pipeline: Pipeline, run_date: object, approval: str | None) -> Night:
    """Which night it is, and in what its values are counted."""
    scenario, source = pipeline.scenario, pipeline.source
    return Night.model_validate(
        {
            "scenario": scenario.name,
            "scenario_title": scenario.title,
            "source": source.name,
            "source_title": source.title,
            "date": run_date,
            "decisions": source.decisions.kind,
            "is_simulated": source.is_simulated,
            "reward_unit": scenario.reward.unit,
            "steps": scenario.evaluation.steps,
            "gamma": scenario.discount.gamma,
            "approval": approval or scenario.approval,
        }
    )


def judgment_of(night: NightEvaluation) -> Judgment:
    """The verdict with its reasons, and the gain it rests on."""
    return Judgment(
        outcome=night.verdict.decision.value,
        reasons=night.verdict.reasons,
        candidate=night.evidence.candidate,
        gain=_gain(night),
        notes=night.notes,
        headlines=tuple(one.text for one in night.headlines if not one.forbids_promotion),
    )


def policy_reports(
    night: NightEvaluation, truth: TrueValues, second_opinions: Sequence[PolicyValueReport] = ()
) -> tuple[PolicyReport, ...]:
    """Behavior policy, candidate and champion with all estimates on test episodes, second opinions last."""
    found: list[PolicyReport] = []
    for name in dict.fromkeys(report.policy for report in night.evaluation.reports):
        role = _role(name, night)
        every = [one for one in (*night.evaluation.reports, *second_opinions) if one.policy == name]
        reports = _told_apart(every, role, night.evidence.estimator)
        found.append(
            PolicyReport(
                role=role,
                name=BEHAVIOR_NAME if role == "behavior" else name,
                estimates=tuple(
                    _estimate(report, night.evidence.estimator, is_second_opinion=report in second_opinions)
                    for report in reports
                ),
                level=reports[0].level,
                overlap=_overlap(reports),
                truth=_true_value(truth.behavior if role == "behavior" else truth.policies.get(name)),
            )
        )
    return tuple(found)


def guardrail_rows(night: NightEvaluation) -> tuple[Guardrail, ...]:
    """Side metrics against what they may rise or fall by."""
    return tuple(
        Guardrail(
            metric=rail.metric,
            behavior=_metric_value(night, rail.metric, BEHAVIOR, "on_policy"),
            candidate=_metric_value(night, rail.metric, night.evidence.candidate, night.evidence.estimator),
            max_relative_increase=rail.max_relative_increase,
            max_relative_decrease=rail.max_relative_decrease,
            relative_increase=finite(rail.relative_increase),
            is_kept=rail.is_kept,
            detail=rail.refusal or _bound_in_words(rail),
        )
        for rail in night.evidence.guardrails
    )


def propensities_of(night: NightEvaluation) -> Propensities:
    """Where the probabilities of logged actions come from, with calibration where they are estimated."""
    known = night.propensities
    return Propensities(
        source=known.source,
        note=known.note,
        calibration_error=None if known.calibration is None else known.calibration.expected_calibration_error,
        calibration=() if known.calibration is None else _calibration_bins(known.calibration),
    )


def action_rows(shares: ActionShares, names: Sequence[str]) -> tuple[ActionShare, ...]:
    """The actions that the log or the candidate takes most."""
    found = shares.most_frequent(names, SHOWN_ACTIONS)
    return tuple(ActionShare(action=name, log=logged, candidate=policy) for name, logged, policy in found)


def candidate_rows(
    selection: Selection, candidates: Mapping[str, LoadedCandidate], checkpoints: Mapping[str, ChosenCheckpoint]
) -> tuple[CandidateRow, ...]:
    """Candidates as seen on validation episodes, each with the network and at the temperature chosen there."""
    return tuple(
        CandidateRow(
            name=choice.policy.name,
            algorithm=candidates[choice.policy.name].result["algorithm"],
            seed=candidates[choice.policy.name].result["seed"],
            update=checkpoints[choice.policy.name].update,
            n_updates=candidates[choice.policy.name].result["n_updates"],
            temperature=choice.policy.temperature,
            estimator=selection.estimator,
            value=choice.report.value,
            lower=choice.report.lower,
            upper=choice.report.upper,
            effective_sample_size=choice.report.effective_sample_size,
            seconds=candidates[choice.policy.name].result["seconds"]["all"],
            certainty=choice.certainty,
            is_supported=choice.is_supported or choice.certainty is None,
            is_selected=choice is selection.best,
        )
        for choice in selection.by_candidate
    )


def ranking_rows(reports: Sequence[RankingReport]) -> tuple[Ranking, ...]:
    """Hit rate and NDCG of each ranker, at the one cutoff they were computed at."""
    by_key = {(report.ranker, report.metric): report for report in reports}
    return tuple(
        Ranking(
            name=name,
            is_baseline=name in BASELINE_RANKERS,
            k=by_key[name, "hit_rate"].k,
            hit_rate=by_key[name, "hit_rate"].value,
            ndcg=by_key[name, "ndcg"].value,
            n=by_key[name, "hit_rate"].n_decisions,
        )
        for name in dict.fromkeys(report.ranker for report in reports)
    )


def _gain(night: NightEvaluation) -> Gain | None:
    found = night.evidence.difference
    if found is None or not night.evidence.is_logged or not math.isfinite(found.value):
        return None
    is_promoted = night.verdict.decision is Decision.PROMOTE
    return Gain(
        baseline=BEHAVIOR_NAME if night.evidence.baseline == BEHAVIOR else night.evidence.baseline,
        estimator=night.evidence.estimator,
        value=found.value,
        lower=finite(found.lower),
        upper=finite(found.upper),
        level=1 - night.level.level,
        corrected=night.evidence.corrected_gain if is_promoted else None,
    )


def _role(name: str, night: NightEvaluation) -> Role:
    if name == BEHAVIOR:
        return "behavior"
    return "candidate" if name == night.evidence.candidate else "champion"


def _told_apart(reports: list[PolicyValueReport], role: Role, gate_estimator: str) -> list[PolicyValueReport]:
    """Without those estimates of the behavior policy that are its logged mean by definition, all weights being 1."""
    kept = ("on_policy", "dm", gate_estimator)
    return [report for report in reports if role != "behavior" or report.estimator in kept]


def _estimate(report: PolicyValueReport, gate_estimator: str, *, is_second_opinion: bool) -> Estimate:
    return Estimate(
        estimator=report.estimator,
        value=finite(report.value),
        lower=finite(report.lower),
        upper=finite(report.upper),
        standard_error=finite(report.standard_error),
        refusal=report.refusal,
        is_gate=report.estimator == gate_estimator,
        is_prediction=report.is_prediction,
        is_second_opinion=is_second_opinion,
        chosen_level=None if report.chosen_level is None else finite(report.chosen_level.level),
        n_levels=0 if report.chosen_level is None else len(report.chosen_level.levels),
    )


def _overlap(reports: Sequence[PolicyValueReport]) -> Overlap:
    """From the report that knows most: weights are the same for all estimators of a policy."""
    report = max(reports, key=lambda one: (one.effective_sample_size is not None, one.max_weight is not None))
    return Overlap(
        n_episodes=report.n_episodes,
        n_units=report.n_units,
        effective_sample_size=finite(report.effective_sample_size),
        effective_rewarded=finite(report.n_effective_rewarded),
        max_weight=finite(report.max_weight),
        share_outside_support=report.share_outside_support,
        mean_ratio=report.mean_ratio,
        mean_ratio_error=report.mean_ratio_error,
        weight_clip=report.clip,
        share_clipped=report.share_clipped,
        share_cut=report.share_cut,
        refusal=report.refusal,
    )


def _true_value(played: PlayedValue | None) -> TrueValue | None:
    if played is None:
        return None
    return TrueValue(value=played.value, standard_error=played.standard_error, n_episodes=played.n_sessions)


def _metric_value(night: NightEvaluation, metric: str, policy: str, estimator: str) -> float | None:
    return finite(night.metric_evaluations[metric].report(policy, estimator).value)


def _bound_in_words(rail: GuardrailEvidence) -> str:
    if rail.bound is None:
        return "no bound"
    movement, by = ("fall", -rail.bound) if rail.is_on_fall else ("rise", rail.bound)
    if math.isinf(rail.bound):
        return f"may {movement} by any amount"
    return f"may {movement} by at most {share(by)}" if by > 0 else f"doesn't {movement}, as far as the log can tell"


def _calibration_bins(report: CalibrationReport) -> tuple[CalibrationBin, ...]:
    return tuple(
        CalibrationBin(n=found.n, predicted=found.mean_predicted, observed=found.share_observed)
        for found in report.curve
    )


def finite(value: float | None) -> float | None:
    """The number, None where it isn't finite: JSON has no other."""
    return value if value is not None and math.isfinite(value) else None
