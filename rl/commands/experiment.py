"""`experiment`: a log of known propensities read as an experiment, on one page."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

from conf.paths import Lake, Run
from conf.publication import write_atomically
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.orders import refuse_orders
from conf.specs.scenario import load_pipeline
from conf.specs.spec_hash import code_hash
from rl.data.dataset import prepare_dataset
from rl.experiment.figures import ExperimentFigures
from rl.experiment.page import render_experiment_page
from rl.experiment.report import report_experiment
from rl.worth.log_reading import last_built_date


def run(*, settings: Settings, source: str, scenario: str, run_date: date | None = None) -> dict[str, Any]:
    """Write experiment.json and experiment.html to the run folder; return the main figures."""
    started = time.perf_counter()
    pipeline = load_pipeline(scenario, source)
    refuse_orders(pipeline.scenario, "experiment")
    lake = Lake(settings.lake, source)
    horizon = run_date or last_built_date(pipeline, lake)
    run_paths = Run(settings.home, source, scenario, horizon)
    figures = report_experiment(
        prepare_dataset(pipeline, lake, horizon),
        run_paths,
        horizon=horizon,
        code_hash=code_hash(*(PROJECT_ROOT / name for name in ("conf", "jobs", "rl"))),
    )
    run_paths.folder.mkdir(parents=True, exist_ok=True)
    figures.write(run_paths.experiment)
    write_atomically(run_paths.experiment_page, render_experiment_page(figures))
    return _summary(figures, run_paths, time.perf_counter() - started)


def _summary(figures: ExperimentFigures, run_paths: Run, seconds: float) -> dict[str, Any]:
    reward = figures.outcomes[0]
    return {
        "scenario": figures.scenario,
        "source": figures.source,
        "date": str(figures.date),
        "n_shoppers": figures.n_shoppers,
        "arms": {arm.name: arm.mean.model_dump() for arm in reward.arms},
        "best_arms": list(reward.best_arms),
        "policies": [
            {
                "policy": policy.name,
                "share_asked": policy.share_asked,
                "share_different": round(policy.share_different, 4),
                "gain": policy.gain.model_dump(),
                "answer": policy.answer,
            }
            for policy in reward.policies
        ],
        "dataset_digest": figures.dataset_digest,
        "page": str(run_paths.experiment_page),
        "seconds": round(seconds, 1),
    }
