"""DAGs `build_…`, `train_…` and `review_…`, one of each for every scenario spec."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Param, PartitionedAssetTimetable, TriggerRule, chain

from conf.settings import Settings
from conf.specs.review import Review
from conf.specs.scenario import Pipeline
from dags.alerts.findings import night_over, nothing_learned, waiting_approval
from dags.alerts.telling import AlertNotifier
from dags.approval import Approval, comment_field, last_answer
from dags.assets import challenger_asset, events_asset, tonight_asset, transitions_asset
from dags.failures import tell_run
from dags.review_request import APPROVAL_BODY, APPROVAL_SUBJECT, read_registration
from dags.run_date import run_date
from dags.specs import candidate_names, read_pipelines
from dags.steps import LearningStep, SparkStep
from dags.task_defaults import date_parameter, task_defaults
from dags.tonight import skip_unless_tonight

TRAINING_ENDS_WITHIN = timedelta(hours=12)
"""What is not trained by then is left out: evaluation and registration must end before the next night begins."""
NIGHT_ENDS_WITHIN = timedelta(hours=20)
"""The last resort, for a run that nothing else ended: it would hold back the next night's."""

DOC_BUILD = """
### {title}: events become transitions

Follows every partition of `events`. Output: the transitions of the date and of the days it may still change, each with
its manifest and checks; asset `transitions/{name}`.

`announce_tonight` updates the asset `tonight/{name}`, which starts `train_{name}`, if the date is tonight's
(yesterday in the source's zone, or `NIGHTCART_TONIGHT`). For a backfilled date it is **skipped**: a backfill of data
never trains. To train on a past date, trigger `train_{name}` with its partition key, or this DAG with
`{{"train": true}}`.
"""
DOC_TRAIN = """
### {title}: tonight's candidates

`prepare` fixes the dataset (vocabulary, splits, encoder); `train` trains each candidate ({candidates}) on it;
`evaluate` chooses one on validation episodes and judges it on test episodes; `register` puts it into the registry as
one version of `{name}-policy` with its verdict and its review page; asset `challenger/{name}`.

A verdict of reject or abstain is a normal outcome and stays green here. Repeating a run makes no second version.
"""
DOC_REVIEW = """
### {title}: from verdict to champion

Follows every registered candidate. Where the gate said no, all tasks are **skipped**. Otherwise {who} and `promote`
moves the alias `champion` to that version: a version, never an alias, and only if the champion is still the one it was
gated against. What is rejected, or not answered in time, goes to `reject`: the version is no challenger, and running
this again doesn't approve it. Who decided what, when and why stands on the version in MLflow and in the home's
`approvals.json`.

It is a DAG of its own since a run that waits for a person must not hold back the next night.
"""


def scenario_dags(pipeline: Pipeline, settings: Settings) -> list[DAG]:
    """Return the DAGs that build, train and review one scenario."""
    return [_build(pipeline), _train(pipeline), _review(pipeline, settings)]


def _build(pipeline: Pipeline) -> DAG:
    name = pipeline.scenario.name
    with _dag(
        pipeline,
        "build",
        doc=DOC_BUILD,
        schedule=PartitionedAssetTimetable(assets=events_asset()),
        max_active_runs=4,
        params={"train": Param(False, type="boolean", description="train on this date even if it isn't tonight's")},
    ) as dag:
        build = SparkStep(
            task_id="build",
            doc_md="`spark-submit jobs/main.py build`: every date the run's date settles or changes, checked, then "
            "published by one atomic swap each.",
            arguments=["build", *_where(pipeline)],
            execution_timeout=timedelta(hours=3),
            inlets=[events_asset()],
            outlets=[transitions_asset(name)],
        )
        announce = PythonOperator(
            task_id="announce_tonight",
            doc_md=f"Updates `tonight/{name}`, which starts the training, for tonight's date alone; else skipped.",
            python_callable=skip_unless_tonight,
            execution_timeout=timedelta(minutes=5),
            outlets=[tonight_asset(name)],
        )
        build >> announce
    return dag


def _train(pipeline: Pipeline) -> DAG:
    name = pipeline.scenario.name
    with _dag(
        pipeline,
        "train",
        doc=DOC_TRAIN,
        schedule=PartitionedAssetTimetable(assets=tonight_asset(name)),
        # One training at a time: a second would take the device from the first.
        max_active_runs=1,
        dagrun_timeout=NIGHT_ENDS_WITHIN,
    ) as dag:
        prepare = _learning_step(
            pipeline,
            "prepare",
            hours=1,
            doc="Vocabulary, splits, encoder and digest of the dataset.",
            night=(pipeline.source.name, name),
            on_skipped_callback=AlertNotifier(nothing_learned),
        )
        train = LearningStep.partial(
            task_id="train",
            doc_md="Trains one candidate (algorithm and seed); the curve is on the review page.",
            arguments=["train", *_where(pipeline), "--candidate={{ task.candidate }}"],
            map_index_template="{{ task.candidate }}",
            execution_timeout=timedelta(hours=6),
            night=(pipeline.source.name, name),
            ends_within=TRAINING_ENDS_WITHIN,
        ).expand(candidate=candidate_names(pipeline))
        evaluate = _learning_step(
            pipeline,
            "evaluate",
            hours=3,
            doc="Chooses on validation episodes, reports on test episodes, gates. A candidate whose training failed "
            "is left out and named on the review page; one at least must be trained.",
            more=["--training-is-over"],
            trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
        )
        register = _learning_step(
            pipeline,
            "register",
            hours=1,
            doc="One version of the registered model, whatever the verdict, with its evidence and review page.",
            outlets=[challenger_asset(name)],
            night=(pipeline.source.name, name),
            on_success_callback=AlertNotifier(night_over),
        )
        prepare >> train >> evaluate >> register
    return dag


def _review(pipeline: Pipeline, settings: Settings) -> DAG:
    name = pipeline.scenario.name
    review = pipeline.scenario.review
    is_human = (settings.approval or pipeline.scenario.approval) == "human"
    asked = "two people may be asked" if review.second_person_above is not None else "a person is asked"
    with _dag(
        pipeline,
        "review",
        doc=DOC_REVIEW,
        schedule=PartitionedAssetTimetable(assets=challenger_asset(name)),
        max_active_runs=16,
        who=f"{asked}, for {review.days_to_answer} days," if is_human else "it counts as approved (`auto`),",
    ) as dag:
        read = PythonOperator(
            task_id="read_registration",
            doc_md="Reads which version was registered for the date; skips the rest unless the verdict is promote, "
            "and where somebody has rejected the version already.",
            python_callable=read_registration,
            op_kwargs={"scenario": name},
            execution_timeout=timedelta(minutes=5),
        )
        approvals = _approvals_by_people(review) if is_human else [_approval_by_itself()]
        promote = _learning_step(
            pipeline,
            "promote",
            hours=0.25,
            doc="Moves `champion` to the approved version, under a lock; skipped if the verdict isn't promote.",
            more=[_VERSION, *(word for one in approvals if isinstance(one, Approval) for word in _word_of(one))],
        )
        chain(read, *approvals, promote)
        if is_human:
            approvals >> _rejection(name)
    return dag


_VERSION = "--version={{ ti.xcom_pull(task_ids='read_registration')['version'] }}"


def _approvals_by_people(review: Review) -> list[Approval]:
    """Return the tasks that ask, one after the other: a second one where the scenario has a limit that asks for it."""
    is_second_asked = review.second_person_above is not None
    asked: list[tuple[str, str, str | None]] = [("approve", "approve_second" if is_second_asked else "promote", None)]
    asked += [("approve_second", "promote", "approve")] if is_second_asked else []
    docs = {
        "approve": "Waits for a person's answer under *Required actions*. No answer in time counts as Reject.",
        "approve_second": "Waits for another person's answer where the version changes many decisions; passes where "
        "one person is enough.",
    }
    return [
        Approval(
            task_id=task_id,
            doc_md=docs[task_id],
            subject=APPROVAL_SUBJECT,
            body=APPROVAL_BODY,
            params=comment_field(),
            respondents=review.respondents,
            days_to_answer=review.days_to_answer,
            approved=approved,
            first=first,
            notifiers=[AlertNotifier(waiting_approval)],
        )
        for task_id, approved, first in asked
    ]


def _word_of(approval: Approval) -> list[str]:
    """Return the arguments that say who approved and why; empty ones of a task that passed without an answer."""
    answer = f"(ti.xcom_pull(task_ids='{approval.task_id}', key='answer') or {{}})"
    return [f"--{name}={{{{ {answer}.get('{name}', '') }}}}" for name in ("who", "why")]


def _rejection(scenario: str) -> LearningStep:
    return LearningStep(
        task_id="reject",
        doc_md="`python -m rl reject`: the version is no challenger, and nothing approves it any more. Skipped where "
        "it was approved.",
        arguments=[
            "reject",
            f"--scenario={scenario}",
            _VERSION,
            *(f"--{name}={{{{ last_answer(ti)['{name}'] }}}}" for name in ("who", "why")),
            "{{ last_answer(ti)['overdue'] }}",
        ],
        execution_timeout=timedelta(minutes=15),
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    )


def _approval_by_itself() -> EmptyOperator:
    return EmptyOperator(task_id="approve", doc_md="Approval is `auto`: the gate's promote is enough.")


def _dag(
    pipeline: Pipeline,
    verb: str,
    *,
    doc: str,
    schedule: PartitionedAssetTimetable,
    max_active_runs: int,
    params: dict[str, Param] | None = None,
    who: str = "",
    dagrun_timeout: timedelta | None = None,
) -> DAG:
    scenario = pipeline.scenario
    candidates = ", ".join(candidate_names(pipeline))
    return DAG(
        dag_id=f"{verb}_{scenario.name}",
        description=f"{scenario.title}: {verb}",
        doc_md=doc.format(name=scenario.name, title=scenario.title, candidates=candidates, who=who),
        schedule=schedule,
        catchup=False,
        max_active_runs=max_active_runs,
        tags=["nightcart", verb, scenario.name, pipeline.source.name],
        params={"date": date_parameter(), **(params or {})},
        user_defined_macros={"run_date": run_date, "last_answer": last_answer},
        default_args=task_defaults(scenario.owner),
        on_failure_callback=tell_run,
        dagrun_timeout=dagrun_timeout,
    )


def _where(pipeline: Pipeline) -> list[str]:
    """Return the arguments that say what a command works on."""
    return [
        f"--source={pipeline.source.name}",
        f"--scenario={pipeline.scenario.name}",
        "--date={{ run_date(dag_run) }}",
    ]


def _learning_step(
    pipeline: Pipeline, command: str, *, hours: float, doc: str, more: list[str] | None = None, **kwargs: Any
) -> LearningStep:
    return LearningStep(
        task_id=command,
        doc_md=f"`python -m rl {command}`: {doc}",
        arguments=[command, *_where(pipeline), *(more or [])],
        execution_timeout=timedelta(hours=hours),
        **kwargs,
    )


_settings = Settings.from_environment()
for _pipeline in read_pipelines(_settings.source)[0].values():
    for _made in scenario_dags(_pipeline, _settings):
        globals()[_made.dag_id] = _made
