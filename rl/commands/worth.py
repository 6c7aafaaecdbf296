"""`worth`: what can be known about a log before anything is trained on it, on one page."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import structlog

from conf.earnings import earnings_sentence
from conf.paths import Lake, Run
from conf.publication import write_atomically
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.orders import refuse_orders
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import code_hash
from rl.data.dataset import Dataset, prepare_dataset
from rl.errors import DatasetError, NothingToLearn
from rl.worth.assessment import Assessment, WorthSettings, assess
from rl.worth.findings import LogSummary, WorthFindings
from rl.worth.log_reading import WorthLog, last_built_date, read_worth_log
from rl.worth.page import render_worth_page


def run(*, settings: Settings, source: str, scenario: str, run_date: date | None = None) -> dict[str, Any]:
    """Write worth.json and worth.html to the run folder; return the answer, its sentence and the main figures."""
    started = time.perf_counter()
    pipeline = load_pipeline(scenario, source)
    refuse_orders(pipeline.scenario, "worth")
    lake = Lake(settings.lake, source)
    horizon = run_date or last_built_date(pipeline, lake)
    try:
        dataset = _dataset(pipeline, lake, horizon)
    except NothingToLearn as error:
        return _nothing_to_learn(Run(settings.home, source, scenario, horizon), str(error))
    log = read_worth_log(dataset)
    worth = WorthSettings.from_scenario(pipeline.scenario)
    structlog.get_logger().info("assessing", n_episodes=log.episodes.n_episodes, propensities=log.propensities)
    found = assess(
        log.episodes,
        worth,
        nights=log.nights,
        is_logged=pipeline.is_logged,
        is_estimated=log.propensities == "estimated",
        next_features=log.next_features,
    )
    findings = _findings(dataset, log, found, worth=worth, horizon=horizon)
    run_paths = Run(settings.home, source, scenario, horizon)
    run_paths.folder.mkdir(parents=True, exist_ok=True)
    findings.write(run_paths.worth)
    write_atomically(run_paths.worth_page, render_worth_page(findings))
    return _summary(findings, run_paths, time.perf_counter() - started)


def _dataset(pipeline: Pipeline, lake: Lake, horizon: date) -> Dataset:
    """Return the dataset as `prepare` assembles it; write nothing, so that a prepared night stays as it is.

    Raises:
        DatasetError: nothing was built for the date; says what to run.
        NothingToLearn: what was built is too little.
    """
    try:
        return prepare_dataset(pipeline, lake, horizon)
    except NothingToLearn:
        raise
    except DatasetError as error:
        raise DatasetError(
            f"{error}\nworth reads what was ingested and built before: run `make nightly "
            f"SOURCE={pipeline.source.name} DATE={horizon}` first, or the build alone"
        ) from error


def _nothing_to_learn(run_paths: Run, reason: str) -> dict[str, Any]:
    """Return the answer for a log that yields no dataset, and remove the page of an earlier log."""
    for path in (run_paths.worth, run_paths.worth_page):
        path.unlink(missing_ok=True)
    return {
        "scenario": run_paths.scenario,
        "source": run_paths.source,
        "date": str(run_paths.date),
        "answer": "cannot_tell",
        "sentence": "This log cannot tell whether looking ahead pays, because nothing can be learned from it: "
        f"{reason}.",
        "page": None,
    }


def _findings(
    dataset: Dataset, log: WorthLog, found: Assessment, *, worth: WorthSettings, horizon: date
) -> WorthFindings:
    pipeline, episodes = dataset.pipeline, log.episodes
    summary = LogSummary(
        source=pipeline.source.name,
        source_title=pipeline.source.title,
        scenario=pipeline.scenario.name,
        scenario_title=pipeline.scenario.title,
        date=horizon,
        decisions=pipeline.source.decisions.kind,
        propensities=log.propensities,
        propensity_note=log.note,
        reward_unit=pipeline.scenario.reward.unit,
        n_episodes=episodes.n_episodes,
        n_shoppers=len(set(episodes.unit.tolist())),
        n_decisions=episodes.n_transitions,
        n_actions=episodes.n_actions,
        nights=log.nights,
        steps=worth.steps,
        gamma=worth.discount.gamma,
        discounted_per=worth.discount.per,
        earns=earnings_sentence(pipeline.scenario.reward),
        is_sampled=log.is_sampled,
    )
    return WorthFindings(
        log=summary,
        answer=found.answer,
        sentence=found.sentence,
        reasons=found.reasons,
        comparison=found.comparison,
        responses=found.responses,
        future_effect=found.future_effect,
        movement=found.movement,
        visibility=found.visibility,
        visibility_refusal=found.visibility_refusal,
        dataset_digest=dataset.digest,
        code_hash=code_hash(*(PROJECT_ROOT / name for name in ("conf", "jobs", "rl"))),
    )


def _summary(findings: WorthFindings, run_paths: Run, seconds: float) -> dict[str, Any]:
    compared, movement, seen = findings.comparison, findings.movement, findings.visibility
    return {
        "scenario": findings.log.scenario,
        "source": findings.log.source,
        "date": str(findings.log.date),
        "answer": findings.answer,
        "sentence": findings.sentence,
        "share_reached": None if compared is None else compared.share_reached.model_dump(),
        "is_prediction": compared is not None and compared.is_prediction,
        "farthest": None if movement is None else movement.farthest.model_dump(),
        "nights_for_gain": None if seen is None else seen.rows[0].nights.model_dump(),
        "dataset_digest": findings.dataset_digest,
        "page": str(run_paths.worth_page),
        "seconds": round(seconds, 1),
    }
