"""The DAGs of one night, run in process by Airflow, one after the other."""

from __future__ import annotations

from typing import Any

from airflow.listeners import hookimpl
from airflow.sdk import DAG, DagRunState
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.listener import get_listener_manager

from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from dags.decide_dags import decide_dag
from dags.ingest_events import ingest_events
from dags.nights.nightly_progress import NightlyProgress
from dags.nights.nightly_request import NightFailed
from dags.observe_dags import observe_dag
from dags.scenario_dags import scenario_dags


class _TaskListener:
    """Tells the progress of Airflow's tasks as they really run; one runs at a time."""

    def __init__(self, progress: NightlyProgress) -> None:
        self._progress = progress
        self._stage = ""
        self.failure: tuple[str, Any] | None = None

    @hookimpl
    def on_task_instance_running(self, task_instance: Any) -> None:
        candidate = getattr(task_instance.task, "candidate", None)
        self._stage = f"{task_instance.task_id} {candidate}" if candidate else str(task_instance.task_id)
        self._progress.begin(self._stage)

    @hookimpl
    def on_task_instance_success(self) -> None:
        self._progress.finish(self._stage)

    @hookimpl
    def on_task_instance_skipped(self) -> None:
        self._progress.finish(self._stage, "skipped")

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any, error: Any) -> None:
        self.failure = (self._stage or task_instance.task_id, error)  # an earlier one was a candidate left out
        self._progress.finish(self._stage, "FAILED")


def run_night(scenario: str, run_conf: dict[str, Any], progress: NightlyProgress) -> None:
    """Run every DAG of the night for the date.

    Where approval is by a person, the review is left out: nobody waits for the answer here.

    Raises:
        NightFailed: a task failed; the DAGs behind it didn't run.
        KeyboardInterrupt: a person stopped it; Airflow alone would take that for a task's failure.
    """
    settings = Settings.from_environment()
    dags = night_dags(scenario, settings)
    listener = _TaskListener(progress)
    get_listener_manager().add_listener(listener)  # type: ignore[no-untyped-call]  # Airflow's
    for dag in dags:
        if settings.approval == "human" and dag.dag_id.startswith("review_"):
            continue
        _fail_at_once(dag)
        run = dag.test(run_conf=run_conf)
        if run.state != DagRunState.SUCCESS:
            task, error = listener.failure or (dag.dag_id, f"ended as {run.state}")
            if isinstance(error, KeyboardInterrupt):
                raise error
            raise NightFailed(f"{task}: {error}")


def night_dags(scenario: str, settings: Settings) -> list[DAG]:
    """Return a night's DAGs in their order.

    Last comes what tomorrow is decided with: the histories for a service, and lists of tonight's champion.
    """
    pipeline = load_pipeline(scenario, settings.source)
    tomorrow = [dag for dag in (observe_dag(pipeline), decide_dag(pipeline)) if dag is not None]
    return [ingest_events(), *scenario_dags(pipeline, settings), *tomorrow]


def _fail_at_once(dag: DAG) -> None:
    """Set the retries of every task to none: a person is waiting, and can run the night again."""
    for task in dag.tasks:
        if isinstance(task, MappedOperator):
            task.partial_kwargs["retries"] = 0
        else:
            task.retries = 0
