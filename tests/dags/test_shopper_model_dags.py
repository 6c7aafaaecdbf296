"""The DAG of the models of shoppers: there only if one asks for it, and off on backfilled dates."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

import conf.specs.shopper_model as specs
from conf.settings import Settings
from conf.specs.shopper_model import load_shopper_model
from dags import shopper_model_dags
from dags.steps import LearningStep
from tests.dags.fake_pipeline import calls, write_fake_pipeline

DATE = "2026-01-31"
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


@pytest.fixture
def pipeline(tmp_path, monkeypatch) -> Path:
    """Airflow reads the DAG's file anew: two models ask for it there."""

    def nightly(name):
        return load_shopper_model(name).model_copy(update={"is_nightly": name in NAMES})

    monkeypatch.setattr(specs, "load_shopper_model", nightly)
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "venv"))
    return tmp_path / "venv"


def states_after(dag, **conf):
    run = dag.test(run_conf={"date": DATE, **conf})
    return run.state, {task.task_id: str(task.state) for task in run.get_task_instances()}


def test_tonights_run_fits_and_scores(dag, pipeline, airflow_home, monkeypatch):
    monkeypatch.setenv("NIGHTCART_TONIGHT", DATE)
    folder = write_fake_pipeline(pipeline)
    state, tasks = states_after(dag)
    assert (state, set(tasks.values())) == ("success", {"success"})
    asked = [(call["command"], call["options"]["model"], call["options"]["date"]) for call in calls(folder)]
    for name in NAMES:
        own = [command for command, model, date in asked if (model, date) == (name, DATE)]
        assert own == ["fit-shopper-models", "score-shoppers"]


def test_a_backfilled_date_fits_nothing(dag, pipeline, airflow_home, monkeypatch):
    monkeypatch.setenv("NIGHTCART_TONIGHT", "2026-02-05")
    folder = write_fake_pipeline(pipeline)
    _, tasks = states_after(dag)
    assert set(tasks.values()) == {"skipped"}
    assert calls(folder) == []


def test_too_few_days_are_a_skip(dag, pipeline, airflow_home):
    write_fake_pipeline(pipeline, skip={"fit-shopper-models": "too few days"})
    _, tasks = states_after(dag, train=True)
    assert {name: state for name, state in tasks.items() if name.startswith(("fit", "score"))} == {
        f"{verb}_{name}": "skipped" for verb in ("fit", "score") for name in NAMES
    }
