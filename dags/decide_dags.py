"""DAGs `decide_…`: the list of a week, tomorrow's orders, and tomorrow's recommendations for all shoppers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Asset, PartitionedAssetTimetable
from airflow.sdk.exceptions import AirflowSkipException

from conf.settings import Settings
from conf.specs.scenario import Pipeline
from dags.assets import (
    decisions_asset,
    events_asset,
    histories_asset,
    order_list_asset,
    recommendations_asset,
    transitions_asset,
)
from dags.failures import tell_run
from dags.run_date import day_after, run_date
from dags.specs import read_pipelines
from dags.steps import LearningStep, SparkStep
from dags.task_defaults import date_parameter, task_defaults
from dags.tonight import skip_unless_tonight

DOC = """
### {title}: the week's list

Follows every partition of `events`; works on the day before a week starts ({weekday}), tonight's alone. Other dates are
**skipped**: a list of a past week would replace the record of what was sent. Trigger this DAG with its partition key
and `{{"decide": true}}` to make such a list on purpose.

* `observe` publishes what is known of every shopper at the start of the week.
* `decide` draws an offer or none for each of them by the champion, within the budget: the table `decisions`, and a CSV
  file beside it; asset `decisions/{name}`. Where the scenario was turned off, it is **skipped**, as it is without a
  champion: then the version that the night registered drafts its list in the run folder, for whoever reviews it.

The list is of the champion at that time. After a promotion, trigger the DAG again for the same date: until the list is
sent, nothing is lost by that.
"""
DOC_ORDERS = """
### {title}: tomorrow's orders

Follows every partition of `transitions/{name}`; works on tonight's date alone. Other dates are **skipped**: a list of a
past morning would replace the record of what was ordered. Trigger this DAG with its partition key and
`{{"decide": true}}` to make such a list on purpose.

* `decide` says how much of each product to order on the morning after the date, by the champion, with its reason: the
  table `order_lists`, and a CSV file beside it; asset `order_list/{name}`. It doesn't wait for tonight's training.
  Where no orders are placed that morning (`orders.weekdays`), or the scenario was turned off, it is **skipped**, as it
  is without a champion: then the version that the night registered drafts its orders in the run folder, for whoever
  reviews it.
"""
DOC_RECOMMENDATIONS = """
### {title}: tomorrow's recommendations

Follows every partition of `histories/{name}`, which `observe_{name}` publishes; works on tonight's date alone. Other
dates are **skipped**: a list of a past day would replace the record of what was decided. Trigger this DAG with its
partition key and `{{"decide": true}}` to make such a list on purpose.

* `decide` says for every shopper with a history what to show on the day after the date, by the champion, with its
  propensity: the table `recommendations`, and a CSV file beside it; asset `recommendations/{name}`. It doesn't wait for
  tonight's training. Where the scenario was turned off, or has no champion yet, it is **skipped**.
"""


def decide_dag(pipeline: Pipeline) -> DAG | None:
    """Return the DAG that makes a scenario's lists; None where no list can be decided for it."""
    scenario = pipeline.scenario
    if not scenario.request_problem:
        return _tonights_dag(
            pipeline,
            what="tomorrow's recommendations",
            doc=DOC_RECOMMENDATIONS,
            after=histories_asset(scenario.name),
            made=recommendations_asset(scenario.name),
            task_doc="`python -m rl decide`: the champion's decision for every shopper with a history.",
        )
    if scenario.orders is not None:
        return _tonights_dag(
            pipeline,
            what="tomorrow's orders",
            doc=DOC_ORDERS,
            after=transitions_asset(scenario.name),
            made=order_list_asset(scenario.name),
            task_doc="`python -m rl decide`: the champion's orders, within packs and limits, checked.",
        )
    if scenario.list_problem or scenario.week is None:
        return None
    with DAG(
        dag_id=f"decide_{scenario.name}",
        description=f"{scenario.title}: the week's list",
        doc_md=DOC.format(name=scenario.name, title=scenario.title, weekday=scenario.week.weekday),
        schedule=PartitionedAssetTimetable(assets=events_asset()),
        catchup=False,
        max_active_runs=1,
        tags=["nightcart", "decide", scenario.name, pipeline.source.name],
        params={"date": date_parameter()},
        user_defined_macros={"run_date": run_date, "day_after": day_after},
        default_args=task_defaults(scenario.owner),
        on_failure_callback=tell_run,
        dagrun_timeout=timedelta(hours=6),
    ) as dag:
        begins = PythonOperator(
            task_id="week_begins",
            doc_md="Skips the rest unless a week starts on the day after the date, and the date is tonight's.",
            python_callable=skip_unless_week_begins,
            op_kwargs={"weekday": scenario.week.weekday},
            execution_timeout=timedelta(minutes=5),
        )
        where = [f"--source={pipeline.source.name}", f"--scenario={scenario.name}"]
        observe = SparkStep(
            task_id="observe",
            doc_md="`spark-submit jobs/main.py observe`: what is known of every shopper when the week starts.",
            arguments=["observe", *where, "--as-of={{ day_after(run_date(dag_run)) }}"],
            execution_timeout=timedelta(hours=2),
            inlets=[events_asset()],
        )
        decide = LearningStep(
            task_id="decide",
            doc_md="`python -m rl decide`: the champion's list, drawn within the budget and checked.",
            arguments=["decide", *where, "--date={{ run_date(dag_run) }}"],
            execution_timeout=timedelta(hours=1),
            outlets=[decisions_asset(scenario.name)],
        )
        begins >> observe >> decide
    return dag


def _tonights_dag(pipeline: Pipeline, *, what: str, doc: str, after: Asset, made: Asset, task_doc: str) -> DAG:
    """Return the DAG whose one command decides tonight's list, after an asset of its date."""
    scenario = pipeline.scenario
    with DAG(
        dag_id=f"decide_{scenario.name}",
        description=f"{scenario.title}: {what}",
        doc_md=doc.format(name=scenario.name, title=scenario.title),
        schedule=PartitionedAssetTimetable(assets=after),
        catchup=False,
        max_active_runs=1,
        tags=["nightcart", "decide", scenario.name, pipeline.source.name],
        params={"date": date_parameter()},
        user_defined_macros={"run_date": run_date},
        default_args=task_defaults(scenario.owner),
        on_failure_callback=tell_run,
        dagrun_timeout=timedelta(hours=3),
    ) as dag:
        is_tonight = PythonOperator(
            task_id="is_tonight",
            doc_md="Skips the rest unless the date is tonight's.",
            python_callable=skip_unless_tonights_list,
            execution_timeout=timedelta(minutes=5),
        )
        decide = LearningStep(
            task_id="decide",
            doc_md=task_doc,
            arguments=[
                "decide",
                f"--source={pipeline.source.name}",
                f"--scenario={scenario.name}",
                "--date={{ run_date(dag_run) }}",
            ],
            execution_timeout=timedelta(hours=1),
            outlets=[made],
        )
        is_tonight >> decide
    return dag


def skip_unless_tonights_list(dag_run: Any) -> str:
    """Return the run's date; skip the task unless it is tonight's, or the run's configuration says `decide: true`.

    Raises:
        AirflowSkipException: a past date; its list was sent, or is too late.
    """
    return skip_unless_tonight(dag_run, "decide", "its list was sent or is too late", "make it all the same")


def skip_unless_week_begins(dag_run: Any, weekday: str) -> str:
    """Return the day on which a week starts; skip the task unless that is tomorrow.

    Raises:
        AirflowSkipException: no week starts then, or the date is a past one and nobody said `decide: true`.
    """
    made = run_date(dag_run)
    starts = day_after(made)
    found = date.fromisoformat(starts).strftime("%A").lower()
    if found != weekday:
        raise AirflowSkipException(f"{starts} is a {found}: no week starts then, but on each {weekday}")
    skip_unless_tonights_list(dag_run)
    return starts


for _pipeline in read_pipelines(Settings.from_environment().source)[0].values():
    if _made := decide_dag(_pipeline):
        globals()[_made.dag_id] = _made
