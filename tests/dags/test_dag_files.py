"""The DAGs as Airflow finds them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.encoders import coerce_to_core_timetable
from airflow.serialization.serialized_objects import DagSerialization
from pendulum import datetime, now

from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import scenarios_for
from dags.ingest_events import ingest_events

SCENARIOS = scenarios_for(Settings.from_environment({}).source)
HEAVY = ("pyspark", "torch", "d3rlpy", "mlflow", "pandas")
SCENARIO_TASKS = {
    "build": ["build", "announce_tonight"],
    "train": ["prepare", "train", "evaluate", "register"],
    "review": ["read_registration", "approve", "promote", "reject"],
    "observe": ["tomorrow_is_served", "observe"],
}


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(PROJECT_ROOT / "dags")


@pytest.fixture(params=["ingest_events", *(f"{verb}_{name}" for name in SCENARIOS for verb in SCENARIO_TASKS)])
def dag(request: pytest.FixtureRequest, bag: DagBag) -> DAG:
    """Each DAG in turn: what holds for one holds for all."""
    found: DAG = bag.dags[request.param]
    return found


def test_dag_files_import_without_errors(bag: DagBag) -> None:
    """Every scenario has its four DAGs beside the one that ingests."""
    assert bag.import_errors == {}
    made = {f"{verb}_{name}" for name in SCENARIOS for verb in SCENARIO_TASKS}
    assert set(bag.dags) == made | {"ingest_events"}


def test_dag_files_are_the_only_ones_read(bag: DagBag) -> None:
    """Modules that hold no DAG are not parsed again and again."""
    read = {Path(stat.file).name for stat in bag.dagbag_stats}
    names = ("ingest_events", "scenario_dags", "shopper_model_dags", "decide_dags", "observe_dags", "broken_specs")
    assert read == {f"{name}.py" for name in names}


def test_dag_files_import_no_heavy_library() -> None:
    """Parsing, which the DAG processor does every minute, touches neither Spark nor learning libraries."""
    modules = "dags.ingest_events, dags.scenario_dags, dags.shopper_model_dags, dags.decide_dags, dags.observe_dags"
    script = f"import sys, {modules}; print([n for n in {HEAVY} if n in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", script], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_dag_tasks_run_in_order(dag: DAG) -> None:
    """Each task waits for the one before it, and for it alone; after an answer it is one task or the other."""
    verb = dag.dag_id.partition("_")[0]
    order = list(SCENARIO_TASKS.get(verb, ["ingest"]))
    assert {task.task_id for task in dag.tasks} == set(order)
    if verb == "review":
        assert dag.get_task(order.pop()).upstream_task_ids == {"approve"}
    for before, task_id in zip([None, *order], order, strict=False):
        assert dag.get_task(task_id).upstream_task_ids == ({before} if before else set())


def test_dag_and_tasks_are_documented(dag: DAG) -> None:
    """The web page explains every DAG and every task, and names its scenario or source."""
    assert dag.doc_md and dag.description
    text = dag.doc_md.replace('{"train": true}', "").replace('{"observe": true}', "")
    assert "{" not in text, "a placeholder was left in the text"
    assert all(task.doc_md for task in dag.tasks)
    assert "nightcart" in dag.tags


def test_dag_tasks_have_owner_retries_and_timeout(dag: DAG) -> None:
    """A task that hangs ends, one that fails is tried again later and later, and someone answers for it."""
    for task in dag.tasks:
        assert task.owner == "recommendation"
        if task.task_id == "approve":
            continue
        assert task.retries == 2
        assert task.retry_delay == timedelta(minutes=1)
        assert task.retry_exponential_backoff == 2.0
        assert task.max_retry_delay == timedelta(minutes=15)
        assert task.execution_timeout is not None


def test_dag_waiting_for_a_person_holds_nothing_back(bag: DagBag) -> None:
    """Reviews may wait side by side; trainings run one at a time."""
    assert bag.dags["review_recommendation"].max_active_runs > 7
    assert bag.dags["train_recommendation"].max_active_runs == 1


def test_assets_chain_the_dags(bag: DagBag) -> None:
    """What one DAG updates, the next is scheduled on; training follows `tonight`, never `transitions`."""
    updated = {
        (dag_id, task.task_id): [asset.name for asset in task.outlets]
        for dag_id, dag in bag.dags.items()
        for task in dag.tasks
        if task.outlets
    }
    assert updated == {
        ("ingest_events", "ingest"): ["events"],
        ("build_recommendation", "build"): ["transitions/recommendation"],
        ("build_recommendation", "announce_tonight"): ["tonight/recommendation"],
        ("train_recommendation", "register"): ["challenger/recommendation"],
    }
    chained = [dag_id for dag_id in bag.dags if dag_id != "ingest_events"]
    timetables: dict[str, Any] = {dag_id: bag.dags[dag_id].timetable for dag_id in chained}
    assert {dag_id: timetable.asset_condition.name for dag_id, timetable in timetables.items()} == {
        "build_recommendation": "events",
        "train_recommendation": "tonight/recommendation",
        "review_recommendation": "challenger/recommendation",
        "observe_recommendation": "events",
    }


def test_training_is_mapped_over_algorithms_and_seeds(bag: DagBag) -> None:
    """One task for each candidate of the spec, shown under its name."""
    task: Any = bag.dags["train_recommendation"].get_task("train")
    assert task.expand_input.value["candidate"] == ["bc-1", "bc-2", "discrete_cql-1", "discrete_cql-2"]
    assert task.partial_kwargs["map_index_template"] == "{{ task.candidate }}"


def test_ingest_makes_yesterdays_partition_in_the_sources_zone(bag: DagBag) -> None:
    """The run due at 03:00 in Berlin on the 1st, when UTC still has the day before, makes the 31st."""
    timetable: Any = coerce_to_core_timetable(bag.dags["ingest_events"].timetable)
    _, key = timetable._get_partition_info(datetime(2026, 2, 1, 2, 0, tz="UTC"))
    assert key == "2026-01-31"


def test_ingest_backfill_range_ends_before_its_last_midnight(bag: DagBag) -> None:
    """As the DAG's page says: from 1st to 3rd makes the 1st and the 2nd."""
    timetable: Any = coerce_to_core_timetable(bag.dags["ingest_events"].timetable)
    days = timetable.iter_partition_dagrun_infos(earliest=datetime(2026, 1, 1), latest=datetime(2026, 1, 3))
    assert [info.partition_key for info in days] == ["2026-01-01", "2026-01-02"]


def test_ingest_after_a_backfill_waits_for_the_night_after_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files read again after a backfill on a new deployment plan the next night, not the last one."""
    keys = tmp_path / "airflow" / "keys.json"
    keys.parent.mkdir()
    keys.touch()
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    dag: Any = DagSerialization.from_dict(DagSerialization.to_dict(ingest_events()))
    (backfilled,) = dag.timetable.iter_partition_dagrun_infos(
        earliest=datetime(2026, 1, 1), latest=datetime(2026, 1, 1, 12)
    )
    planned = dag.next_dagrun_info(last_automated_run_info=backfilled)
    assert planned.run_after > now("UTC").subtract(minutes=1)


def test_ingest_makes_up_for_a_night_missed_since_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment that was down at three in the morning runs last night's partition when it is up again."""
    keys = tmp_path / "airflow" / "keys.json"
    keys.parent.mkdir()
    keys.touch()
    long_ago = now("UTC").subtract(days=9).timestamp()
    os.utime(keys, (long_ago, long_ago))
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    dag: Any = DagSerialization.from_dict(DagSerialization.to_dict(ingest_events()))
    assert dag.next_dagrun_info(last_automated_run_info=None).run_after < now("UTC")
