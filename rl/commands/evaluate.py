"""`evaluate`: temperature and candidate chosen on validation episodes, one report on test episodes, the gate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from typing import Any

import structlog
import torch

from conf.paths import Lake, Run
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import load_pipeline
from conf.specs.spec_hash import code_hash, full_spec_hash
from rl.data.dataset import Dataset, load_dataset
from rl.data.description import read_description
from rl.data.shop_rules import rules_of_scenario
from rl.figures.night import NightFigures
from rl.gate.alpha_spending import night_level
from rl.learning.trained_candidates import load_candidates, untrained
from rl.night.figures.night_figures import night_figures
from rl.night.night import RegistryBefore, whole_night
from rl.registry.champion import at_budget, find_champion, under_rules
from rl.registry.entry import NightKey
from rl.registry.looks import find_looks
from rl.registry.memory import known_looks
from rl.registry.readiness import settle_model
from rl.registry.store import open_store


def run(
    *, settings: Settings, source: str, scenario: str, run_date: date, is_training_over: bool = False
) -> dict[str, Any]:
    """Write evaluation.json to the run folder and return its summary.

    Args:
        settings: what the environment says: home, lake, registry.
        source: its name.
        scenario: its name.
        run_date: last business date whose deliveries count.
        is_training_over: nothing trains any more, so that a candidate without a result has failed: it is left out and
            named. Otherwise it is an error, since it may still come.
    """
    started = time.perf_counter()
    torch.set_num_threads(settings.training_threads)
    pipeline = load_pipeline(scenario, source)
    run_paths = Run(settings.home, source, scenario, run_date)
    dataset = load_dataset(pipeline, Lake(settings.lake, source), run_paths)
    description = read_description(run_paths)
    left_out = _left_out(run_paths, description.candidates, dataset) if is_training_over else {}
    # Where none was trained, the error names them all.
    names = [name for name in description.candidates if name not in left_out] or list(description.candidates)
    candidates = load_candidates(run_paths, names, dataset_digest=dataset.digest)
    registered = _registered(settings, dataset, run_date)
    night = whole_night(dataset, candidates, registered, settings=settings, left_out=left_out)
    figures = night_figures(night, candidates, run=run_paths, description=description, approval=settings.approval)
    figures.write(run_paths.evaluation)
    return _summary(figures, time.perf_counter() - started)


def _left_out(run_paths: Run, names: Sequence[str], dataset: Dataset) -> dict[str, str]:
    left_out = untrained(run_paths, names, dataset_digest=dataset.digest)
    structlog.get_logger().info("training is over", left_out=list(left_out.values()))
    return left_out


def _registered(settings: Settings, dataset: Dataset, run_date: date) -> RegistryBefore:
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
        found = find_champion(client, key, features=features, vocabulary=dataset.vocabulary)
        champion = None if found is None else at_budget(found, pipeline.scenario.budget)
        if champion is not None:
            champion = under_rules(champion, rules_of_scenario(pipeline.scenario))
        looks = find_looks(client, key, known_looks(settings))
    level = night_level(pipeline.scenario.gate.wrong_promotions_per_year, run_date, looks)
    return RegistryBefore(key, champion, level, changes)


def _code_hash() -> str:
    return code_hash(*(PROJECT_ROOT / name for name in ("conf", "jobs", "rl")))


def _summary(figures: NightFigures, seconds: float) -> dict[str, Any]:
    return {
        "scenario": figures.facts.scenario,
        "source": figures.facts.source,
        "date": str(figures.facts.date),
        "verdict": figures.verdict.decision,
        "reasons": list(figures.verdict.reasons),
        "headlines": list(figures.verdict.headlines),
        "candidate": figures.selected.name,
        "temperature": figures.selected.temperature,
        "gain": None if figures.gain is None else figures.gain.model_dump(mode="json"),
        "champion_in_force": figures.champion_in_force,
        "compared_with": figures.compared_with,
        "dataset_digest": figures.dataset_digest,
        "true_values": {figures.role(name): value.model_dump() for name, value in figures.truth.items()},
        "seconds": round(seconds, 1),
    }
