"""DAGs `observe_…`: what is known of every shopper for tomorrow's requests, where a service decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, PartitionedAssetTimetable

from conf.settings import Settings
from conf.specs.scenario import Pipeline
from dags.assets import events_asset, histories_asset
from dags.failures import tell_run
from dags.run_date import day_after, run_date
from dags.specs import read_pipelines
from dags.steps import SparkStep
from dags.task_defaults import date_parameter, task_defaults
from dags.tonight import skip_unless_tonight

DOC = """
### {title}: what tomorrow's requests are decided on

Follows every partition of `events`. `observe` publishes the histories of all shoppers as of the day after the date,
which a service (`make serve`) takes over within seconds; it does so whatever the night's verdict is, since the champion
of before goes on deciding.

Other dates than tonight's are **skipped**: nobody is served on a past day. Trigger this DAG with its partition key and
`{{"observe": true}}` to publish such histories on purpose.
"""


def observe_dag(pipeline: Pipeline) -> DAG | None:
    """Return the DAG that observes for a scenario's requests; None where no service answers any for it."""
    scenario = pipeline.scenario
    if scenario.request_problem:
        return None
    with DAG(
        dag_id=f"observe_{scenario.name}",
        description=f"{scenario.title}: histories for tomorrow's requests",
        doc_md=DOC.format(title=scenario.title),
        schedule=PartitionedAssetTimetable(assets=events_asset()),
        catchup=False,
        max_active_runs=1,
        tags=["nightcart", "observe", scenario.name, pipeline.source.name],
        params={"date": date_parameter()},
        user_defined_macros={"run_date": run_date, "day_after": day_after},
        default_args=task_defaults(scenario.owner),
        on_failure_callback=tell_run,
        dagrun_timeout=timedelta(hours=6),
    ) as dag:
        tomorrow = PythonOperator(
            task_id="tomorrow_is_served",
            doc_md="Skips the rest unless the date is tonight's: histories of a past day decide nothing.",
            python_callable=skip_unless_tomorrow_is_served,
            execution_timeout=timedelta(minutes=5),
        )
        observe = SparkStep(
            task_id="observe",
            doc_md="`spark-submit jobs/main.py observe`: what every shopper did, as of tomorrow.",
            arguments=[
                "observe",
                f"--source={pipeline.source.name}",
                f"--scenario={scenario.name}",
                "--as-of={{ day_after(run_date(dag_run)) }}",
            ],
            execution_timeout=timedelta(hours=2),
            inlets=[events_asset()],
            outlets=[histories_asset(scenario.name)],
        )
        tomorrow >> observe
    return dag


def skip_unless_tomorrow_is_served(dag_run: Any) -> str:
    """Return the day that histories are published for; skip the task unless that is the day after tonight's date.

    Raises:
        AirflowSkipException: the date is another, and nobody said `observe: true`.
    """
    why = "nobody is served on the day after it"
    return day_after(skip_unless_tonight(dag_run, "observe", why, "publish its histories all the same"))


for _pipeline in read_pipelines(Settings.from_environment().source)[0].values():
    if _made := observe_dag(_pipeline):
        globals()[_made.dag_id] = _made
