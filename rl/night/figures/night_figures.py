"""All figures of a night, from what it found: what evaluation.json holds."""

from __future__ import annotations

from collections.abc import Mapping

from conf.paths import Run
from rl.data.description import DatasetDescription
from rl.figures.candidates import ActionShare, CandidateFigures, RankingFigures, SelectedCandidate
from rl.figures.data import CalibrationBin, Propensities
from rl.figures.night import NightFigures, Notes
from rl.learning.trained_candidates import LoadedCandidate
from rl.night.figures.data_summary import summarize_data
from rl.night.figures.doubts import doubts_of, loggers_of, opinions_of
from rl.night.figures.explanation import explanation_figures, segment_figures, support_figures
from rl.night.figures.exploration import exploration_figures
from rl.night.figures.night_facts import lineage_of, night_facts
from rl.night.figures.returns import returns_figures
from rl.night.figures.spend import spend_figures
from rl.night.figures.values import (
    allowance_of,
    gain_of,
    guardrail_figures,
    notes_of,
    over_control_of,
    truth_of,
    value_figures,
    verdict_figures,
)
from rl.night.night import Night
from rl.night.spend.gain_at_spend import weekly_budget
from rl.ope.propensities.known import KnownPropensities

SHOWN_ACTIONS = 50


def night_figures(
    night: Night,
    candidates: Mapping[str, LoadedCandidate],
    *,
    run: Run,
    description: DatasetDescription,
    approval: str | None,
) -> NightFigures:
    """Return the figures of a night.

    Args:
        night: what it found.
        candidates: that it chose from, by name.
        run: of the night; holds what ingest and build counted.
        description: what the night's dataset.json says.
        approval: of the deployment, `human` or `auto`; None: as the scenario says.
    """
    dataset, evaluation, best = night.dataset, night.evaluation, night.selection.best
    key = night.registered.key
    return NightFigures(
        facts=night_facts(dataset.pipeline, run, approval),
        dataset_digest=key.dataset_digest,
        spec_hash=key.spec_hash,
        code_hash=key.code_hash,
        lineage=lineage_of(description),
        selected=SelectedCandidate(
            name=best.policy.name,
            update=night.checkpoints[best.policy.name].update,
            temperature=best.policy.temperature,
            policy_version=best.policy.version,
            prices=None if best.policy.prices is None else best.policy.prices.to_json(),
        ),
        verdict=verdict_figures(evaluation),
        allowance=allowance_of(evaluation.level),
        level=evaluation.level.level,
        champion_in_force=night.champion_in_force,
        compared_with=night.compared_with,
        estimator=evaluation.evidence.estimator,
        gain=gain_of(evaluation),
        over_control=over_control_of(evaluation),
        reports=value_figures(evaluation.evaluation.reports),
        second_reports=value_figures(night.second_look.reports),
        metric_reports={
            metric: value_figures(found.reports) for metric, found in evaluation.metric_evaluations.items()
        },
        validation_reports=value_figures(night.selection.reports),
        truth=dict(truth_of(night.truth)),
        guardrails=guardrail_figures(evaluation),
        propensities=_propensities(evaluation.propensities),
        notes=_notes(night),
        data=summarize_data(run, description),
        returns=returns_figures(night.second_look.returns, best.policy.name),
        doubts=doubts_of(evaluation),
        opinions=opinions_of(night.second_look.opinions, level=evaluation.evaluation.settings.confidence),
        loggers=loggers_of(evaluation),
        segments=segment_figures(night.explained),
        explanation=explanation_figures(night.explained, best.policy),
        support=support_figures(night.explained),
        spend=spend_figures(
            night.spend,
            weekly_budget=weekly_budget(best.policy),
            level=evaluation.evaluation.settings.confidence,
        ),
        one_decision=night.one_decision,
        exploration=exploration_figures(night),
        actions=_actions(night),
        distance_from_log=night.shares.distance,
        ranking=tuple(RankingFigures.model_validate(report.to_json()) for report in night.ranking),
        curves=tuple(curve for candidate in candidates.values() for curve in candidate.curves),
        candidates=_candidates(night, candidates),
        rules={} if best.policy.rules.is_empty else best.policy.rules.to_json(),
    )


def _notes(night: Night) -> Notes:
    is_played = night.dataset.pipeline.source.is_simulated
    return notes_of(night.evaluation).model_copy(
        update={
            "selection": night.selection.note or None,
            "no_truth": night.truth.note or None if is_played else None,
            "left_out": tuple(night.left_out),
            "registry_changes": night.registered.changes,
        }
    )


def _propensities(known: KnownPropensities) -> Propensities:
    calibration = known.calibration
    if calibration is None:
        return Propensities(source=known.source, note=known.note)
    return Propensities(
        source=known.source,
        note=known.note,
        calibration_error=calibration.expected_calibration_error,
        calibration=tuple(
            CalibrationBin(n=one.n, predicted=one.mean_predicted, observed=one.share_observed)
            for one in calibration.curve
        ),
        misplaced_share=calibration.misplaced_share,
        log_loss=calibration.log_loss,
        log_loss_uniform=calibration.log_loss_uniform,
    )


def _actions(night: Night) -> tuple[ActionShare, ...]:
    found = night.shares.most_frequent(night.dataset.vocabulary.names, SHOWN_ACTIONS)
    return tuple(ActionShare(action=name, log=logged, candidate=policy) for name, logged, policy in found)


def _candidates(night: Night, candidates: Mapping[str, LoadedCandidate]) -> tuple[CandidateFigures, ...]:
    """Return each candidate with the network and at the temperature chosen on validation episodes."""
    found = []
    for choice in night.selection.by_candidate:
        trained = candidates[choice.policy.name].result
        found.append(
            CandidateFigures(
                name=choice.policy.name,
                algorithm=trained["algorithm"],
                seed=trained["seed"],
                update=night.checkpoints[choice.policy.name].update,
                n_updates=trained["n_updates"],
                temperature=choice.policy.temperature,
                estimator=night.selection.estimator,
                value=choice.report.value,
                lower=choice.report.lower,
                upper=choice.report.upper,
                effective_sample_size=choice.report.effective_sample_size,
                seconds=trained["seconds"]["all"],
                certainty=choice.certainty,
                gain_to_ship=choice.gain_to_ship,
                shared_gain_to_ship=choice.shared_gain_to_ship,
                is_supported=choice.is_supported or choice.certainty is None,
                is_selected=choice is night.selection.best,
            )
        )
    return tuple(found)
