"""The DAG of the models of shoppers: there only if one asks for it, and off on backfilled dates."""

from __future__ import annotations

import pytest
from airflow.sdk import DAG

from conf.settings import Settings
from conf.specs.shopper_model import load_shopper_model
from dags import shopper_model_dags
from dags.steps import LearningStep

NAMES = ("churn-risk", "purchase-propensity-7")


@pytest.fixture(scope="module")
def dag() -> DAG:
    models = tuple(load_shopper_model(name).model_copy(update={"is_nightly": True}) for name in NAMES)
    return shopper_model_dags.shopper_models_dag(models, Settings.from_environment({}))


def test_shipped_models_run_by_hand_alone():
    """No model asks for it, so that there is no DAG of theirs."""
    assert shopper_model_dags.nightly_models() == ()
    assert not hasattr(shopper_model_dags, "dag")


def test_each_model_is_fitted_before_it_scores_and_only_tonight(dag):
    assert dag.timetable.asset_condition.name == "events"
    assert dag.max_active_runs == 1
    assert {task.task_id: task.upstream_task_ids for task in dag.tasks} == {
        "only_tonight": set(),
        **{f"fit_{name}": {"only_tonight"} for name in NAMES},
        **{f"score_{name}": {f"fit_{name}"} for name in NAMES},
    }


def test_steps_are_the_commands_of_rl(dag):
    step = dag.get_task("score_churn-risk")
    assert isinstance(step, LearningStep)
    assert step.arguments == [
        "score-shoppers",
        "--source=simulated_shop",
        "--date={{ run_date(dag_run) }}",
        "--model=churn-risk",
    ]
    assert dag.get_task("fit_churn-risk").arguments[0] == "fit-shopper-models"


def test_everything_is_documented_and_ends(dag):
    assert "{" not in dag.doc_md.replace('{"train": true}', "")
    assert all(task.doc_md and task.execution_timeout and task.retries == 2 for task in dag.tasks)
