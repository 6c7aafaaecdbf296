"""`evaluate`: temperature and candidate chosen on validation episodes, one report on test episodes, the gate."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog
import torch

from conf.paths import Lake, Run
from conf.scenario import load_pipeline
from conf.settings import PROJECT_ROOT, Settings
from conf.spec_hash import code_hash, full_spec_hash
from rl.data.dataset import Dataset, load_dataset, read_description
from rl.errors import UnsupportedEstimator
from rl.gate.alpha_spending import NightLevel, night_level
from rl.learning.trained_candidates import LoadedCandidate, load_candidates, untrained
from rl.learning.training import resolve_device
from rl.night.action_shares import ActionShares, action_shares
from rl.night.checkpoint_choice import ChosenCheckpoint, choose_checkpoints
from rl.night.evaluation import NightEvaluation, evaluate_night
from rl.night.explanation.night_explanation import NightExplanation, explain_night
from rl.night.page_content.data_summary import summarize_data
from rl.night.page_content.doubts_content import doubts_of, loggers_of, opinions_of
from rl.night.page_content.explanation_content import explanation_content, segments_content, support_content
from rl.night.page_content.returns_content import returns_content
from rl.night.page_content.review_content import (
    BASELINE_RANKERS,
    action_rows,
    candidate_rows,
    guardrail_rows,
    judgment_of,
    night_of,
    policy_reports,
    propensities_of,
    ranking_rows,
)
from rl.night.result import EvaluationResult, SelectedCandidate
from rl.night.second_look.second_look import SecondLook, second_look
from rl.night.selection import Floors, Selection, select_candidate
from rl.night.truth import TrueValues, true_values
from rl.ope.propensities.known import know_propensities
from rl.ope.ranking import PolicyRanker, Ranker, RankingReport, evaluate_ranking, fit_item_knn, fit_popularity
from rl.ope.report import EvaluationSettings
from rl.page.content import LineageRow, ReviewContent
from rl.registry.champion import Champion, find_champion
from rl.registry.entry import NightKey
from rl.registry.looks import find_looks
from rl.registry.memory import known_looks
from rl.registry.readiness import settle_model
from rl.registry.store import open_store
from rl.registry.versions import BEHAVIOR

RANKING_CUTOFF = 10


@dataclass(frozen=True)
class _Night:
    """What the evaluation came to."""

    dataset: Dataset
    selection: Selection
    checkpoints: dict[str, ChosenCheckpoint]
    evaluation: NightEvaluation
    second_look: SecondLook
    champion: Champion | None
    truth: TrueValues
    ranking: tuple[RankingReport, ...]
    shares: ActionShares
    explained: NightExplanation


@dataclass(frozen=True)
class _Registered:
    """The champion in force, the level that earlier nights' looks leave, and what was changed in MLflow by hand."""

    champion: Champion | None
    level: NightLevel
    changes: tuple[str, ...]


def run(
    *, settings: Settings, source: str, scenario: str, run_date: date, is_training_over: bool = False
) -> dict[str, Any]:
    """The run folder holds evaluation.json; gives its verdict and figures.

    Args:
        settings: of the process.
        source: its name.
        scenario: its name.
        run_date: horizon.
        is_training_over: nothing trains any more, so that a candidate without a result has failed: it is left out and
            named. Otherwise it is an error, since it may still come.
    """
    started = time.perf_counter()
    torch.set_num_threads(settings.training_threads)
    pipeline = load_pipeline(scenario, source)
    run_paths = Run(settings.home, source, scenario, run_date)
    dataset = load_dataset(pipeline, Lake(settings.lake, source), run_paths)
    description = read_description(run_paths)
    names, left_out = list(description["candidates"]), {}
    if is_training_over:
        left_out = untrained(run_paths, names, dataset_digest=dataset.digest)
        structlog.get_logger().info("training is over", left_out=list(left_out.values()))
    # Where none was trained, the error names them all.
    names = [name for name in names if name not in left_out] or names
    candidates = load_candidates(run_paths, names, dataset_digest=dataset.digest)
    registered = _registered(settings, dataset, run_date)
    night = _evaluate(settings, dataset, candidates, registered.champion, registered.level)
    content = _review(night, candidates, settings, run_paths, description)
    content = _with_notes(_with_left_out(content, left_out), registered.changes)
    result = _result(night, content)
    result.write(run_paths.evaluation)
    return _summary(result, time.perf_counter() - started)


def _evaluate(
    settings: Settings,
    dataset: Dataset,
    candidates: dict[str, LoadedCandidate],
    champion: Champion | None,
    level: NightLevel,
) -> _Night:
    pipeline = dataset.pipeline
    evaluation_settings = EvaluationSettings.from_scenario(pipeline.scenario, device=resolve_device(settings.device))
    train = dataset.to_logged_episodes("train")
    validation = know_propensities(dataset.to_logged_episodes("validation"), is_logged=pipeline.is_logged).episodes
    estimator = pipeline.scenario.evaluation.estimator if pipeline.is_logged else "dm"
    temperatures = pipeline.scenario.policy.temperatures
    chosen = choose_checkpoints(
        {name: candidate.checkpoints for name, candidate in candidates.items()},
        train=train,
        validation=validation,
        settings=evaluation_settings,
        estimator=estimator,
        temperature=temperatures[len(temperatures) // 2],
        floors=Floors.from_scenario(pipeline.scenario),
    )
    selection = select_candidate(
        {name: checkpoint.policy for name, checkpoint in chosen.items()},
        train=train,
        validation=validation,
        settings=evaluation_settings,
        estimator=estimator,
        temperatures=temperatures,
        floors=Floors.from_scenario(pipeline.scenario),
        is_logged=pipeline.is_logged,
    )
    evaluation = evaluate_night(
        dataset, selection, champion=champion, level=level, train=train, settings=evaluation_settings
    )
    lake, selected = Lake(settings.lake, pipeline.source.name), selection.best.policy
    looked = second_look(dataset, lake, selected, night=evaluation)
    structlog.get_logger().info("playing the shop for true values", is_simulated=pipeline.source.is_simulated)
    played = {selected.name: selected}
    if champion is not None and champion.policy is not None:
        played[champion.name] = champion.policy
    truth = true_values(settings.home, dataset, played)
    ranking = () if pipeline.is_logged else _ranking(selection, evaluation, dataset, evaluation_settings)
    shares = action_shares(selected, evaluation.propensities.episodes)
    explained = explain_night(dataset, lake, selected, night=evaluation, train=train, shares=shares)
    return _Night(dataset, selection, chosen, evaluation, looked, champion, truth, ranking, shares, explained)


def _registered(settings: Settings, dataset: Dataset, run_date: date) -> _Registered:
    pipeline = dataset.pipeline
    key = NightKey(
        scenario=pipeline.scenario.name,
        source=pipeline.source.name,
        date=run_date,
        dataset_digest=dataset.digest,
        spec_hash=full_spec_hash(pipeline),
        code_hash=_code_hash(),
    )
    features = [feature.name for feature in pipeline.scenario.observation.features]
    with open_store(settings) as client:
        changes = settle_model(client, settings, key.model)
        champion = find_champion(client, key, features=features, vocabulary=dataset.vocabulary)
        looks = find_looks(client, key, known_looks(settings))
    level = night_level(pipeline.scenario.gate.wrong_promotions_per_year, run_date, looks)
    return _Registered(champion, level, changes)


def _ranking(
    selection: Selection, evaluation: NightEvaluation, dataset: Dataset, settings: EvaluationSettings
) -> tuple[RankingReport, ...]:
    """How well the policy and simple baselines guess the next action; empty where a single shopper can't tell."""
    train, policy = dataset.to_logged_episodes("train"), selection.best.policy
    popularity, item_knn = BASELINE_RANKERS
    rankers: dict[str, Ranker] = {
        policy.name: PolicyRanker(policy),
        item_knn: fit_item_knn(train),
        popularity: fit_popularity(train),
    }
    test = evaluation.propensities.episodes
    try:
        return evaluate_ranking(
            rankers, test, cutoffs=(RANKING_CUTOFF,), level=settings.confidence, resampling=settings.resampling
        )
    except UnsupportedEstimator as error:
        structlog.get_logger().info("no ranking", reason=str(error))
        return ()


def _review(
    night: _Night,
    candidates: dict[str, LoadedCandidate],
    settings: Settings,
    run_paths: Run,
    description: dict[str, Any],
) -> ReviewContent:
    dataset, evaluation = night.dataset, night.evaluation
    pipeline = dataset.pipeline
    judgment = judgment_of(evaluation)
    if pipeline.source.is_simulated and night.truth.note:
        judgment = judgment.model_copy(update={"notes": (*judgment.notes, f"No true values: {night.truth.note}.")})
    return ReviewContent(
        night=night_of(pipeline, run_paths.date, settings.approval),
        judgment=judgment,
        policies=policy_reports(evaluation, night.truth, night.second_look.reports),
        opinions=opinions_of(night.second_look.opinions, level=evaluation.evaluation.settings.confidence),
        returns=returns_content(night.second_look.returns, night.selection.best.policy.name),
        guardrails=guardrail_rows(evaluation),
        propensities=propensities_of(evaluation),
        data=summarize_data(run_paths, description),
        actions=action_rows(night.shares, dataset.vocabulary.names),
        distance_from_log=night.shares.distance,
        doubts=doubts_of(evaluation),
        loggers=loggers_of(evaluation),
        segments=segments_content(night.explained),
        explanation=explanation_content(night.explained, night.selection.best.policy),
        support=support_content(night.explained),
        curves=tuple(curve for candidate in candidates.values() for curve in candidate.curves),
        ranking=ranking_rows(night.ranking),
        candidates=candidate_rows(night.selection, candidates, night.checkpoints),
        lineage=_lineage(night, description),
    )


def _with_left_out(content: ReviewContent, left_out: dict[str, str]) -> ReviewContent:
    """Return the content with a note on every candidate whose training failed."""
    notes = (f"Left out, as its training failed or took too long: {name}." for name in left_out)
    return _with_notes(content, tuple(notes))


def _with_notes(content: ReviewContent, notes: tuple[str, ...]) -> ReviewContent:
    judgment = content.judgment
    return content.model_copy(update={"judgment": judgment.model_copy(update={"notes": (*judgment.notes, *notes)})})


def _lineage(night: _Night, description: dict[str, Any]) -> tuple[LineageRow, ...]:
    partitions = sorted(description["partitions"].items())
    rows = {
        "dataset digest": night.dataset.digest,
        "spec (both files, whole)": full_spec_hash(night.dataset.pipeline),
        "spec (what shapes the data)": description["spec_hash"],
        "code and pins": _code_hash(),
        "pseudonym key": description["key_id"],
        "embargo between splits": description.get("embargo", "not recorded by the release that prepared it"),
        "policy version": night.selection.best.policy.version,
        "champion in force": _champion_in_force(night.champion),
        "compared with": _compared_with(night.champion),
        "first partition": f"{partitions[0][0]}: {partitions[0][1]}",
        "last partition": f"{partitions[-1][0]}: {partitions[-1][1]}",
    }
    return tuple(LineageRow(name=name, value=value) for name, value in rows.items())


def _result(night: _Night, content: ReviewContent) -> EvaluationResult:
    policy, evaluation = night.selection.best.policy, night.evaluation
    calibration = evaluation.propensities.calibration
    return EvaluationResult(
        dataset_digest=night.dataset.digest,
        spec_hash=full_spec_hash(night.dataset.pipeline),
        code_hash=_code_hash(),
        selected=SelectedCandidate(
            name=policy.name,
            update=night.checkpoints[policy.name].update,
            temperature=policy.temperature,
            policy_version=policy.version,
        ),
        verdict=evaluation.verdict.to_json(),
        champion_in_force=_champion_in_force(night.champion),
        compared_with=_compared_with(night.champion),
        level=evaluation.level.level,
        reports=tuple(report.to_json() for report in (*evaluation.evaluation.reports, *night.second_look.reports)),
        metric_reports={
            metric: tuple(report.to_json() for report in found.reports)
            for metric, found in evaluation.metric_evaluations.items()
        },
        validation_reports=tuple(report.to_json() for report in night.selection.reports),
        ranking=tuple(report.to_json() for report in night.ranking),
        calibration=None if calibration is None else calibration.to_json(),
        review=content,
    )


def _summary(result: EvaluationResult, seconds: float) -> dict[str, Any]:
    judgment = result.review.judgment
    return {
        "scenario": result.review.night.scenario,
        "source": result.review.night.source,
        "date": str(result.review.night.date),
        "verdict": judgment.outcome,
        "reasons": list(judgment.reasons),
        "headlines": list(judgment.headlines),
        "candidate": result.selected.name,
        "temperature": result.selected.temperature,
        "gain": None if judgment.gain is None else judgment.gain.model_dump(mode="json"),
        "champion_in_force": result.champion_in_force,
        "compared_with": result.compared_with,
        "dataset_digest": result.dataset_digest,
        "true_values": {
            policy.role: policy.truth.model_dump() for policy in result.review.policies if policy.truth is not None
        },
        "seconds": round(seconds, 1),
    }


def _champion_in_force(champion: Champion | None) -> str:
    return BEHAVIOR if champion is None else str(champion.version.version)


def _compared_with(champion: Champion | None) -> str:
    """What the gain is over: the log's own policy where the champion in force can't be compared."""
    return BEHAVIOR if champion is None or champion.policy is None else str(champion.version.version)


def _code_hash() -> str:
    return code_hash(*(PROJECT_ROOT / name for name in ("conf", "jobs", "rl")))
