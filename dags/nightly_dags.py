"""The DAGs of one night, run in process by Airflow, one after the other."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, DagRunState
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.listener import get_listener_manager

from conf.errors import NightcartError
from conf.scenario import load_pipeline
from conf.settings import Settings
from dags.ingest_events import ingest_events
from dags.nightly_progress import NightlyProgress
from dags.scenario_dags import scenario_dags


class NightFailed(NightcartError):
    """A task failed; the message is the task's own."""


def run_night(scenario: str, run_conf: dict[str, Any], progress: NightlyProgress) -> None:
    """Every DAG of the night has run for the date.

    Where approval is by a person, the review is left out: it waits for the answer under `make up`.

    Raises:
        NightFailed: a task failed; the DAGs behind it didn't run.
        KeyboardInterrupt: a person stopped it; Airflow alone would take that for a task's failure.
    """
    settings = Settings.from_environment()
    dags = [ingest_events(), *scenario_dags(load_pipeline(scenario, settings.source), settings)]
    get_listener_manager().add_listener(progress)  # type: ignore[no-untyped-call]  # Airflow's
    for dag in dags:
        if settings.approval == "human" and dag.dag_id.startswith("review_"):
            progress.say("review: approval is by a person; start `make up` and trigger it there")
            continue
        _fail_at_once(dag)
        run = dag.test(run_conf=run_conf)
        if run.state != DagRunState.SUCCESS:
            task, error = progress.failure or (dag.dag_id, f"ended as {run.state}")
            if isinstance(error, KeyboardInterrupt):
                raise error
            raise NightFailed(f"{task}: {error}")


def _fail_at_once(dag: DAG) -> None:
    """No task is tried again: a person is waiting, and can."""
    for task in dag.tasks:
        if isinstance(task, MappedOperator):
            task.partial_kwargs["retries"] = 0
        else:
            task.retries = 0
