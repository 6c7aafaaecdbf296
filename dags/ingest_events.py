"""DAG `ingest_events`: the day's deliveries become events, rejected lines and sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronPartitionTimetable, Param

from conf.settings import Settings
from conf.specs.source import Source, load_source
from dags.assets import events_asset
from dags.await_delivery import DeliverySensor
from dags.delivered_logs import delivered_logs
from dags.failures import tell_run
from dags.run_date import run_date
from dags.specs import read_pipelines
from dags.steps import SparkStep
from dags.task_defaults import date_parameter, task_defaults

DOC = """
### The day's deliveries become events

Runs every night at 03:00 in the zone of the source `{source}`, for the day before: the partition key is that date.

* **Input**: the files delivered up to the date (`NIGHTCART_LOGS`, or the run's `logs`).
* **Output**: `events`, `events_rejected` (with reasons), `items`, `availability`, `sessions`; asset `events`.
* **Half a delivery** is never ingested: where the source says when one is whole (`arrival`), `await_delivery` waits for
  the rest, tells at a deadline, and fails once it waits no more.
* **Past days**: one run lands and ingests everything delivered up to its date that isn't yet. To make partitions of
  past dates, backfill this DAG; each partition builds its transitions, and none of them starts a training:
  `make airflow ARGS="backfill create --dag-id ingest_events --from-date 2026-01-01 --to-date 2026-01-08"`
  makes the partitions 01 to 07 (a `--to-date` without an hour means its midnight, before that day's 03:00).
* **Red means broken**: no deliveries for the date, or files that can't be read. The task's log ends with one clear
  message. Running it again is safe at any point.
"""
DOC_INGEST = """
`spark-submit jobs/main.py ingest`: lands new deliveries, turns their lines into events or rejected lines, and
rebuilds the sessions they touch. What is published stays as it was until the new version is whole.
"""


def ingest_events() -> DAG:
    """Return the DAG that ingests the settings' source."""
    settings = Settings.from_environment()
    source = load_source(settings.source)
    pipelines, _ = read_pipelines(settings.source)
    owners = sorted({pipeline.scenario.owner for pipeline in pipelines.values()}) or ["nightcart"]
    with DAG(
        dag_id="ingest_events",
        description=f"Deliveries of {source.title} become events and sessions",
        doc_md=DOC.format(source=source.name),
        schedule=CronPartitionTimetable("0 3 * * *", timezone=source.zone, run_offset=-1, key_format="%Y-%m-%d"),
        start_date=deployed_at(settings),
        catchup=False,
        max_active_runs=4,
        tags=["nightcart", "data", source.name],
        params={
            "date": date_parameter(),
            "logs": Param(None, type=["null", "string"], description="file or folder to land deliveries from"),
        },
        user_defined_macros={"run_date": run_date, "delivered_logs": _logs_or_nothing},
        default_args=task_defaults(", ".join(owners)),
        on_failure_callback=tell_run,
    ) as dag:
        ingest = SparkStep(
            task_id="ingest",
            doc_md=DOC_INGEST,
            arguments=[
                "ingest",
                f"--source={source.name}",
                "--date={{ run_date(dag_run) }}",
                "--logs={{ delivered_logs(dag_run) }}",
                *(f"--scenario={name}" for name in pipelines),
            ],
            execution_timeout=timedelta(hours=3),
            outlets=[events_asset()],
        )
        if source.arrival is not None:
            _wait_for(source) >> ingest
    return dag


def _wait_for(source: Source) -> DeliverySensor:
    return DeliverySensor(
        task_id="await_delivery",
        doc_md="Waits until the delivery is whole, as `arrival` of the source declares it; at `arrival.by` the alert "
        "`no_delivery` says what it lacks.",
        source=source.name,
        execution_timeout=timedelta(minutes=10),
    )


def deployed_at(settings: Settings) -> datetime | None:
    """Return when Airflow's keys were made in the home, else None: no night before that is made up for.

    Without a start Airflow takes a backfill's runs for nights that it missed, and makes up for last night.
    """
    keys = settings.home / "airflow" / "keys.json"
    return datetime.fromtimestamp(int(keys.stat().st_mtime), tz=UTC) if keys.exists() else None


def _logs_or_nothing(dag_run: object) -> str:
    found = delivered_logs(Settings.from_environment(), dag_run)
    return str(found) if found else ""


dag = ingest_events()
