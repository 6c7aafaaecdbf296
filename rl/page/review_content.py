"""The review page's content, made of a night's figures and of what the registry knows."""

from __future__ import annotations

from collections.abc import Sequence

from rl.figures.candidates import RankingFigures
from rl.figures.evidence import Segments
from rl.figures.monitor import LedgerFigures
from rl.figures.night import NightFigures
from rl.figures.returns import Returns
from rl.figures.values import Gain, GuardrailFigures, ValueFigures
from rl.page.close_call_sentences import close_call_sentence
from rl.page.content import (
    Estimate,
    GuardrailRow,
    HistoryRow,
    Judgment,
    LineageRow,
    Overlap,
    PolicyReport,
    Ranking,
    ReviewContent,
)
from rl.page.money_terms import money_terms
from rl.page.rule_sentences import rule_sentences
from rl.page.sentences import guardrail_detail, hidden_reasons, notes_of, policy_name, unseen_losses
from rl.policy.action_rules import ActionRules

BASELINE_RANKERS = ("popularity", "item-kNN")


def review_content(
    figures: NightFigures,
    *,
    model: str | None = None,
    version: int | None = None,
    run_id: str | None = None,
    history: tuple[HistoryRow, ...] | None = None,
    ledger: LedgerFigures | None = None,
) -> ReviewContent:
    """Return what the page says.

    Args:
        figures: what evaluation.json holds.
        model: name of the registered model; None where the night isn't registered.
        version: its number; None likewise.
        run_id: of MLflow's run; None likewise.
        history: earlier versions; None where the registry wasn't asked.
        ledger: of launches; None where nothing was served.
    """
    found = figures.doubts.confounding if figures.doubts else None
    losses = figures.doubts.losses if figures.doubts else None
    return ReviewContent(
        night=figures.facts,
        judgment=judgment_of(figures),
        policies=policy_reports(figures),
        returns=_returns(figures.returns),
        spend=figures.spend,
        money=money_terms(figures),
        one_decision=figures.one_decision,
        exploration=figures.exploration,
        guardrails=tuple(_guardrail(figures, one) for one in figures.guardrails),
        propensities=figures.propensities,
        data=figures.data,
        actions=figures.actions,
        distance_from_log=figures.distance_from_log,
        doubts=figures.doubts,
        hidden_reasons=None if found is None else hidden_reasons(found),
        unseen_losses=None
        if losses is None
        else unseen_losses(losses, units=figures.facts.units, reward_unit=figures.facts.reward_unit),
        opinions=figures.opinions,
        loggers=figures.loggers,
        segments=_segments(figures.segments),
        explanation=figures.explanation,
        support=figures.support,
        history=history,
        ledger=ledger,
        curves=figures.curves,
        ranking=_rankings(figures.ranking),
        candidates=figures.candidates,
        rules=rule_sentences(ActionRules.from_json(figures.rules)) if figures.rules else (),
        lineage=_lineage(figures, run_id),
        model=model,
        version=None if version is None else str(version),
    )


def judgment_of(figures: NightFigures) -> Judgment:
    """Return the verdict with its reasons, and the gain it rests on."""
    return Judgment(
        outcome=figures.verdict.decision,
        reasons=figures.verdict.reasons,
        candidate=figures.selected.name,
        gain=_gain(figures.gain),
        notes=notes_of(figures),
        headlines=figures.verdict.headlines,
        close_call=close_call_sentence(figures),
    )


def policy_reports(figures: NightFigures) -> tuple[PolicyReport, ...]:
    """Return all estimates of each policy on test episodes, second opinions last."""
    return tuple(_policy_report(figures, name) for name in figures.policies)


def _policy_report(figures: NightFigures, name: str) -> PolicyReport:
    shown, others = figures.told_reports(name), figures.told_reports(name, is_second=True)
    return PolicyReport(
        role=figures.role(name),
        name=policy_name(name),
        estimates=(
            *(_estimate(one, figures.estimator) for one in shown),
            *(_estimate(one, figures.estimator, is_second_opinion=True) for one in others),
        ),
        level=shown[0].level,
        overlap=_overlap(figures.fullest_report(name)),
        truth=figures.truth.get(name),
    )


def _estimate(report: ValueFigures, gate_estimator: str, *, is_second_opinion: bool = False) -> Estimate:
    return Estimate(
        estimator=report.estimator,
        value=report.value,
        lower=report.lower,
        upper=report.upper,
        standard_error=report.standard_error,
        refusal=report.refusal,
        is_gate=report.estimator == gate_estimator,
        is_prediction=report.is_prediction,
        is_second_opinion=is_second_opinion,
        chosen_level=None if report.chosen_level is None else report.chosen_level.level,
        n_levels=0 if report.chosen_level is None else len(report.chosen_level.levels),
    )


def _overlap(report: ValueFigures) -> Overlap:
    return Overlap(
        n_episodes=report.n_episodes,
        n_units=report.n_units,
        effective_sample_size=report.effective_sample_size,
        effective_rewarded=report.n_effective_rewarded,
        max_weight=report.max_weight,
        share_outside_support=report.share_outside_support,
        mean_ratio=report.mean_ratio,
        mean_ratio_error=report.mean_ratio_error,
        weight_clip=report.clip,
        share_clipped=report.share_clipped,
        share_cut=report.share_cut,
        refusal=report.refusal,
    )


def _gain(gain: Gain | None) -> Gain | None:
    return None if gain is None else gain.model_copy(update={"baseline": policy_name(gain.baseline)})


def _guardrail(figures: NightFigures, rail: GuardrailFigures) -> GuardrailRow:
    by_key = {(one.policy, one.estimator): one.value for one in figures.metric_reports.get(rail.metric, ())}
    # By the estimator that the change is told by: the logged mean beside it would contradict the change.
    baseline = figures.gain.baseline if figures.gain is not None else "behavior"
    return GuardrailRow(
        metric=rail.metric,
        behavior=by_key.get((baseline, figures.estimator), by_key.get(("behavior", "on_policy"))),
        candidate=by_key.get((figures.selected.name, figures.estimator)),
        max_relative_increase=rail.max_relative_increase,
        max_relative_decrease=rail.max_relative_decrease,
        relative_increase=rail.relative_increase,
        is_kept=rail.is_kept,
        detail=guardrail_detail(rail),
    )


def _returns(found: Returns | None) -> Returns | None:
    if found is None:
        return None
    named = tuple(one.model_copy(update={"name": policy_name(one.name)}) for one in found.policies)
    return found.model_copy(update={"policies": named})


def _segments(found: Segments | None) -> Segments | None:
    return None if found is None else found.model_copy(update={"baseline": policy_name(found.baseline)})


def _rankings(found: Sequence[RankingFigures]) -> tuple[Ranking, ...]:
    """Return the hit rate and NDCG of each ranker, at the one cutoff they were computed at."""
    by_key = {(one.ranker, one.metric): one for one in found}
    return tuple(
        Ranking(
            name=name,
            is_baseline=name in BASELINE_RANKERS,
            k=by_key[name, "hit_rate"].k,
            hit_rate=by_key[name, "hit_rate"].value,
            ndcg=by_key[name, "ndcg"].value,
            n=by_key[name, "hit_rate"].n_decisions,
        )
        for name in dict.fromkeys(one.ranker for one in found)
    )


def _lineage(figures: NightFigures, run_id: str | None) -> tuple[LineageRow, ...]:
    lineage = figures.lineage
    rows = {
        "dataset digest": figures.dataset_digest,
        "spec (both files, whole)": figures.spec_hash,
        "spec (what shapes the data)": lineage.data_spec_hash,
        "code and pins": figures.code_hash,
        "pseudonym key": lineage.key_id,
        "embargo between splits": lineage.embargo or "not recorded by the release that prepared it",
        "policy version": figures.selected.policy_version,
        "champion in force": figures.champion_in_force,
        "compared with": figures.compared_with,
        "first partition": ": ".join(lineage.first_partition),
        "last partition": ": ".join(lineage.last_partition),
    }
    if run_id is not None:
        rows["MLflow run"] = run_id
    return tuple(LineageRow(name=name, value=value) for name, value in rows.items())
