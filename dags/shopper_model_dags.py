"""DAG `shopper_models`: what shoppers will do, learned and told anew every night, by the models that ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, PartitionedAssetTimetable

from conf.settings import Settings
from conf.specs.shopper_model import ShopperModel, load_shopper_model, shopper_model_names
from dags.assets import events_asset
from dags.failures import tell_run
from dags.run_date import run_date
from dags.steps import LearningStep
from dags.task_defaults import date_parameter, task_defaults
from dags.tonight import skip_unless_tonight

NIGHT_ENDS_WITHIN = timedelta(hours=12)

DOC = """
### What shoppers will do: {models}

Follows every partition of `events`, for tonight's date alone: other dates are **skipped**, so that a backfill of data
fits nothing (trigger this DAG with its partition key and `{{"train": true}}` to do it on purpose).

* `fit_…` learns a model from everything delivered up to the date, judges it on its last days, and registers it as a
  version of `{source}-…`; it becomes champion if it is calibrated and no worse than the champion. A refusal is a normal
  outcome and stays green. Too few days are a skip.
* `score_…` writes what the champion says of every known shopper: the table `shopper_scores`, and a CSV file beside it.
  Without a champion it is skipped.

Which models run here is the key `is_nightly` of their files in `conf/models`.
"""


def nightly_models() -> tuple[ShopperModel, ...]:
    """Return the models that are to be fitted every night.

    Raises:
        SpecError: a file of `conf/models` isn't a spec.
    """
    return tuple(one for one in map(load_shopper_model, shopper_model_names()) if one.is_nightly)


def shopper_models_dag(models: Sequence[ShopperModel], settings: Settings) -> DAG:
    """Return the DAG that fits the models on the settings' source and scores its shoppers."""
    names = ", ".join(model.name for model in models)
    with DAG(
        dag_id="shopper_models",
        description=f"What shoppers will do: {names}",
        doc_md=DOC.format(models=names, source=settings.source),
        schedule=PartitionedAssetTimetable(assets=events_asset()),
        catchup=False,
        max_active_runs=1,
        tags=["nightcart", "shopper_models", settings.source],
        params={"date": date_parameter()},
        user_defined_macros={"run_date": run_date},
        default_args=task_defaults("nightcart"),
        on_failure_callback=tell_run,
        dagrun_timeout=NIGHT_ENDS_WITHIN,
    ) as dag:
        tonight = PythonOperator(
            task_id="only_tonight",
            doc_md="Skips the rest unless the date is tonight's, or the run's configuration says `train: true`.",
            python_callable=skip_unless_tonight,
            execution_timeout=timedelta(minutes=5),
        )
        for model in models:
            fit = _step("fit", "fit-shopper-models", model, settings, doc="Fits, judges and registers the model.")
            score = _step("score", "score-shoppers", model, settings, doc="Writes the champion's scores.")
            tonight >> fit >> score
    return dag


def _step(verb: str, command: str, model: ShopperModel, settings: Settings, *, doc: str) -> LearningStep:
    return LearningStep(
        task_id=f"{verb}_{model.name}",
        doc_md=f"`python -m rl {command}`: {doc}",
        arguments=[
            command,
            f"--source={settings.source}",
            "--date={{ run_date(dag_run) }}",
            f"--model={model.name}",
        ],
        execution_timeout=timedelta(hours=2),
    )


if _models := nightly_models():
    dag = shopper_models_dag(_models, Settings.from_environment())
