"""`prepare`: the night's dataset from published partitions."""

from __future__ import annotations

from datetime import date
from typing import Any

import structlog

from conf.paths import Lake, Run, registrations, registry_record
from conf.plain_json import to_json
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.scenario import Pipeline, load_pipeline
from rl.commands.rule_names import refuse_unknown_actions
from rl.data.dataset import prepare_dataset
from rl.data.description import DATASET_FILE, DatasetDescription
from rl.errors import NothingToLearn
from rl.learning.candidates import seeded_candidates
from rl.orders.order_split import prepare_orders


def run(*, settings: Settings, source: str, scenario: str, run_date: date) -> dict[str, Any]:
    """Write dataset.json, encoder.json and versions.json to the run folder and return dataset.json's content.

    Where there is rightly nothing to learn, it holds nothing_to_learn.json and a page, and `skipped` gives the reason.
    """
    pipeline = load_pipeline(scenario, source)
    run_paths = Run(settings.home, source, scenario, run_date)
    if _has_registry(settings):
        # It imports MLflow, which takes seconds: not where there is nothing to check.
        from rl.registry.readiness import check_registry  # noqa: PLC0415

        check_registry(settings, scenario)
    try:
        content = _written(settings, pipeline, run_paths)
    except NothingToLearn as error:
        return _nothing_to_learn(pipeline, run_paths, str(error))
    run_paths.nothing_to_learn.unlink(missing_ok=True)
    structlog.get_logger().info(
        "prepared",
        dataset_digest=content.dataset_digest,
        n_actions=content.counts["n_actions"],
        n_features=content.counts["n_features"],
        embargo=content.embargo,
        **{name: split.n_transitions for name, split in content.splits.items()},
    )
    return content.model_dump(mode="json")


def _written(settings: Settings, pipeline: Pipeline, run_paths: Run) -> DatasetDescription:
    """Write the dataset to the run folder and return what it is made of.

    Raises:
        NothingToLearn: the reason why none can be made yet.
        SpecError: the scenario's rules name an action that nothing knows.
    """
    lake = Lake(settings.lake, run_paths.source)
    if pipeline.scenario.orders is not None:
        return prepare_orders(pipeline, lake, run_paths.date).write(run_paths)
    candidates = list(seeded_candidates(pipeline.scenario))
    dataset = prepare_dataset(pipeline, lake, run_paths.date)
    logged = dataset.published.transitions.action_keys.values()
    refuse_unknown_actions(settings, pipeline, horizon=run_paths.date, further=(lambda: frozenset(logged),))
    return dataset.write(run_paths.dataset, candidates)


def _has_registry(settings: Settings) -> bool:
    """Return whether there is a registry whose faults a night could find too late."""
    database = settings.mlflow_database
    if database is None or database.exists() or registry_record(settings.home).exists():
        return True
    return bool(registrations(settings.home))


def _nothing_to_learn(pipeline: Pipeline, run_paths: Run, reason: str) -> dict[str, Any]:
    """Write the reason and a page to the run folder, for people and reports; remove an earlier try's dataset."""
    # Templates take a moment to import: not where there is something to learn.
    from rl.commands.nothing_learned import told_reason, write_nothing_page  # noqa: PLC0415

    reason = told_reason(run_paths, reason)
    result = {
        "source": run_paths.source,
        "scenario": run_paths.scenario,
        "date": str(run_paths.date),
        "skipped": reason,
    }
    (run_paths.dataset / DATASET_FILE).unlink(missing_ok=True)
    write_nothing_page(pipeline, run_paths, reason)
    write_atomically(run_paths.nothing_to_learn, to_json(result, indent=1))
    structlog.get_logger().info("nothing to learn", reason=reason)
    return result
