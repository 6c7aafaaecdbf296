"""`evaluate`: temperature and candidate chosen on validation episodes, one report on test episodes, the gate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date
from typing import Any

import structlog
import torch
from mlflow import MlflowClient

from conf.paths import Lake, Run
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import Pipeline, load_pipeline
from conf.specs.spec_hash import code_hash, full_spec_hash
from rl.data.dataset import Dataset, load_dataset
from rl.data.description import read_description
from rl.data.shop_rules import rules_of_scenario
from rl.errors import EvaluationError, NothingToLearn
from rl.figures.night import BEHAVIOR, NightFigures
from rl.figures.second_look import TakenLook
from rl.gate.rules import Decision
from rl.learning.trained_candidates import load_candidates, untrained
from rl.night.figures.night_figures import night_figures
from rl.night.night import RegistryBefore, whole_night
from rl.night.over_control import IsOurs
from rl.night.tonight_trial import declared_look, find_trial, frozen_policy, taken_look, void_look
from rl.night.trial_night import trial_night
from rl.orders.night_figures import order_night_figures
from rl.orders.order_night import OrdersBefore, order_night
from rl.orders.order_split import load_orders
from rl.orders.trained_orders import load_orders_trained
from rl.page.second_look_sentences import second_look_headlines
from rl.policy import StochasticPolicy
from rl.policy.action_rules import ActionRules
from rl.registry.champion import at_budget, find_champion, under_rules
from rl.registry.entry import NightKey
from rl.registry.launches import launches
from rl.registry.looks import find_looks, level_of_look
from rl.registry.memory import known_looks
from rl.registry.order_champion import find_order_champion
from rl.registry.readiness import settle_model
from rl.registry.store import open_store
from rl.registry.trials import Trial
from rl.registry.versions import own_versions
from rl.serving.decide import FALLBACK_VERSION
from rl.serving.explored import MIXTURE


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
    evaluated = _orders if pipeline.scenario.orders is not None else _decisions
    figures = evaluated(settings, pipeline, run_paths, is_training_over=is_training_over)
    figures.write(run_paths.evaluation)
    return _summary(figures, time.perf_counter() - started)


def _decisions(settings: Settings, pipeline: Pipeline, run_paths: Run, *, is_training_over: bool) -> NightFigures:
    dataset = load_dataset(pipeline, Lake(settings.lake, run_paths.source), run_paths)
    description = read_description(run_paths)
    rules = rules_of_scenario(pipeline.scenario)
    registered, trial = _registered(settings, dataset, run_paths.date)
    taken = None
    if trial is not None:
        second = _second_look(settings, dataset, registered, *trial, run_paths)
        if isinstance(second, NightFigures):
            return second
        taken = second
    left_out, names = _trained(
        run_paths, description.candidates, dataset.digest, is_training_over=is_training_over, rules=rules
    )
    candidates = load_candidates(run_paths, names, dataset_digest=dataset.digest, rules=rules)
    night = whole_night(dataset, candidates, registered, settings=settings, left_out=left_out)
    figures = night_figures(night, candidates, run=run_paths, description=description, approval=settings.approval)
    declared = None if taken is not None else declared_look(night, settings)
    return _told(figures.model_copy(update={"taken": taken, "declared": declared}))


def _second_look(
    settings: Settings,
    dataset: Dataset,
    registered: RegistryBefore,
    trial: Trial,
    policy: StochasticPolicy | str,
    run_paths: Run,
) -> NightFigures | TakenLook | None:
    """Return the figures of a second look that passed, else how it ended; None where it isn't due yet."""
    is_due = run_paths.date >= trial.planned
    champion = registered.champion
    in_force = BEHAVIOR if champion is None else str(champion.version.version)
    void = void_look(
        trial,
        champion_in_force=in_force,
        compared_with=BEHAVIOR if champion is None or champion.policy is None else in_force,
        spec_hash=registered.key.spec_hash,
        policy=policy,
        days=set(dataset.published.manifests) if is_due else None,
    )
    if void is not None or not is_due or isinstance(policy, str):
        return void
    structlog.get_logger().info("taking a second look", trial=str(trial), level=trial.level)
    try:
        found = trial_night(dataset, trial, policy, registered, settings=settings)
    except (NothingToLearn, EvaluationError) as error:
        return taken_look(trial, "abstain", str(error))
    verdict = found.night.evaluation.verdict
    taken = taken_look(trial, verdict.decision.value, " ".join(verdict.reasons))
    if verdict.decision is not Decision.PROMOTE:
        return taken
    figures = night_figures(
        found.night, found.candidates, run=run_paths, description=found.description, approval=settings.approval
    )
    return _told(figures.model_copy(update={"taken": taken}))


def _told(figures: NightFigures) -> NightFigures:
    """Return the figures with what a reader must know of second looks said before all else."""
    told = (*second_look_headlines(figures), *figures.verdict.headlines)
    return figures.model_copy(update={"verdict": figures.verdict.model_copy(update={"headlines": told})})


def _orders(settings: Settings, pipeline: Pipeline, run_paths: Run, *, is_training_over: bool) -> NightFigures:
    """Return the figures of a night that decides on orders."""
    dataset = load_orders(pipeline, Lake(settings.lake, run_paths.source), run_paths)
    description = read_description(run_paths)
    left_out, names = _trained(run_paths, description.candidates, dataset.digest, is_training_over=is_training_over)
    limits = dataset.history.limits
    candidates = load_orders_trained(run_paths, names, dataset_digest=dataset.digest, limits=limits)
    key = _key(pipeline, dataset.digest, run_paths.date)
    with open_store(settings) as client:
        changes = settle_model(client, settings, key.model)
        history = dataset.history
        champion = find_order_champion(client, key, lead_days=history.lead_days, order_days=history.order_days)
        looks = find_looks(client, key, known_looks(settings))
    level = level_of_look(pipeline.scenario.gate.wrong_promotions_per_year, run_paths.date, looks)
    night = order_night(
        dataset,
        {name: one.policy for name, one in candidates.items()},
        OrdersBefore(key, champion, level, changes),
        home=settings.home,
        left_out=left_out,
    )
    return order_night_figures(night, candidates, run=run_paths, description=description, approval=settings.approval)


def _trained(
    run_paths: Run, names: Sequence[str], digest: str, *, is_training_over: bool, rules: ActionRules | None = None
) -> tuple[dict[str, str], list[str]]:
    """Return the candidates whose training failed, with the reason, and the names of the others.

    Where none was trained, these are all, so that the error names them.
    """
    if not is_training_over:
        return {}, list(names)
    left_out = untrained(run_paths, names, dataset_digest=digest, rules=rules)
    structlog.get_logger().info("training is over", left_out=list(left_out.values()))
    return left_out, [name for name in names if name not in left_out] or list(names)


def _key(pipeline: Pipeline, digest: str, run_date: date) -> NightKey:
    return NightKey(
        scenario=pipeline.scenario.name,
        source=pipeline.source.name,
        date=run_date,
        dataset_digest=digest,
        spec_hash=full_spec_hash(pipeline),
        code_hash=_code_hash(),
    )


def _registered(
    settings: Settings, dataset: Dataset, run_date: date
) -> tuple[RegistryBefore, tuple[Trial, StochasticPolicy | str] | None]:
    """Return what the registry says, and the trial that the night has to do with, with its frozen policy."""
    pipeline = dataset.pipeline
    key = _key(pipeline, dataset.digest, run_date)
    features = [feature.name for feature in pipeline.scenario.observation.features]
    with open_store(settings) as client:
        changes = settle_model(client, settings, key.model)
        found = find_champion(client, key, features=features, vocabulary=dataset.vocabulary)
        champion = None if found is None else at_budget(found, pipeline.scenario.budget)
        if champion is not None:
            champion = under_rules(champion, rules_of_scenario(pipeline.scenario))
        looks = find_looks(client, key, known_looks(settings))
        trial = find_trial(client, settings, key)
        frozen = None if trial is None else (trial, frozen_policy(client, trial))
        is_ours = _whose(client, settings, key.model)
    level = level_of_look(pipeline.scenario.gate.wrong_promotions_per_year, run_date, looks)
    return RegistryBefore(key, champion, level, changes, is_ours), frozen


def _whose(client: MlflowClient, settings: Settings, model: str) -> IsOurs:
    """Return whether decisions under a policy version were a service's; none were where nothing was ever approved."""
    launched = launches(settings.home, model)
    if not launched:
        return lambda _: False
    ours = {one.policy_version for one in launched} | {
        one.tags.get("policy_version") for one in own_versions(client, model)
    }
    return lambda name: name in ours or name == FALLBACK_VERSION or name.startswith(MIXTURE)


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
