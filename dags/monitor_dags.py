"""DAGs `monitor_…`: what the champion earned beside its promise, where a service decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, PartitionedAssetTimetable

from conf.settings import Settings
from conf.specs.scenario import Pipeline
from dags.alerts.findings import nothing_served
from dags.alerts.telling import AlertNotifier
from dags.assets import transitions_asset
from dags.failures import tell_run
from dags.run_date import run_date
from dags.specs import read_pipelines
from dags.steps import LearningStep
from dags.task_defaults import date_parameter, task_defaults
from dags.tonight import skip_unless_tonight

DOC = """
### {title}: promised and earned

Follows every partition of `transitions/{name}`. `monitor` holds what the champion earned on served days beside what it
was promoted on, and looks whether every decision arrived, whether actions are chosen as often as told, and whether the
shop is still what it was; it writes `monitor.json` and `monitor.html` into the night's run folder, keeps alerts, and
rolls the champion back where the scenario says so (`monitor.on_broken_promise`). Where nothing was served it is
**skipped**, unless shoppers came who were to get a launched version: then it alerts. Where the scenario rolls
promotions out by stages, `rollout` takes the day's look at the present stage.

Other dates than tonight's are **skipped**: their looks were taken. Trigger this DAG with its partition key and
`{{"monitor": true}}` to look again on purpose.
"""


def monitor_dag(pipeline: Pipeline) -> DAG | None:
    """Return the DAG that monitors a scenario; None where no service answers requests for it."""
    scenario = pipeline.scenario
    if scenario.request_problem:
        return None
    with DAG(
        dag_id=f"monitor_{scenario.name}",
        description=f"{scenario.title}: promised and earned",
        doc_md=DOC.format(name=scenario.name, title=scenario.title),
        schedule=PartitionedAssetTimetable(assets=transitions_asset(scenario.name)),
        catchup=False,
        max_active_runs=1,
        tags=["nightcart", "monitor", scenario.name, pipeline.source.name],
        params={"date": date_parameter()},
        user_defined_macros={"run_date": run_date},
        default_args=task_defaults(scenario.owner),
        on_failure_callback=tell_run,
        dagrun_timeout=timedelta(hours=6),
    ) as dag:
        is_tonight = PythonOperator(
            task_id="is_tonight",
            doc_md="Skips the rest unless the date is tonight's.",
            python_callable=skip_unless_tonights_look,
            execution_timeout=timedelta(minutes=5),
        )
        doc = "promised and earned, arrivals, propensities, drift; alerts."
        looks = [_look(pipeline, "monitor", doc, on_success_callback=AlertNotifier(nothing_served))]
        if scenario.rollout is not None:
            doc = "the day's look at what is rolled out: it grows, holds or goes back; skipped where nothing is."
            looks.append(_look(pipeline, "rollout", doc))
        is_tonight >> looks
    return dag


def _look(pipeline: Pipeline, command: str, doc: str, **kwargs: Any) -> LearningStep:
    return LearningStep(
        task_id=command,
        doc_md=f"`python -m rl {command}`: {doc}",
        arguments=[
            command,
            f"--source={pipeline.source.name}",
            f"--scenario={pipeline.scenario.name}",
            "--date={{ run_date(dag_run) }}",
        ],
        night=(pipeline.source.name, pipeline.scenario.name),
        execution_timeout=timedelta(hours=2),
        **kwargs,
    )


def skip_unless_tonights_look(dag_run: Any) -> str:
    """Return the run's date; skip the task unless it is tonight's, or the run's configuration says `monitor: true`.

    Raises:
        AirflowSkipException: a past date; its look was taken.
    """
    return skip_unless_tonight(dag_run, "monitor", "its look was taken", "look again")


for _pipeline in read_pipelines(Settings.from_environment().source)[0].values():
    if _made := monitor_dag(_pipeline):
        globals()[_made.dag_id] = _made
