"""The DAG of a week's list: on the day before a week starts, tonight's alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from dags.decide_dags import decide_dag, skip_unless_tonights_list, skip_unless_week_begins
from dags.nights.nightly_dags import night_dags
from tests.dags.fake_pipeline import calls, write_fake_pipeline
from tests.dags.runs import FakeRun

SUNDAY = "2026-02-01"


@pytest.fixture(scope="module")
def dag() -> DAG:
    found = decide_dag(load_pipeline("promotion", "simulated_promotion"))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def recommendations_dag() -> DAG:
    found = decide_dag(load_pipeline("recommendation", "simulated_shop"))
    assert found is not None
    return found


def test_recommendations_follow_the_histories_of_tonight(recommendations_dag):
    assert recommendations_dag.dag_id == "decide_recommendation"
    assert recommendations_dag.timetable.asset_condition.name == "histories/recommendation"
    assert {task.task_id: task.upstream_task_ids for task in recommendations_dag.tasks} == {
        "is_tonight": set(),
        "decide": {"is_tonight"},
    }
    (made,) = recommendations_dag.get_task("decide").outlets
    assert made.name == "recommendations/recommendation"
    assert "{" not in recommendations_dag.doc_md.replace('{"decide": true}', "")


def test_recommendations_are_decided_by_the_day_before(recommendations_dag, pipeline, airflow_home, monkeypatch):
    monkeypatch.setenv("NIGHTCART_SOURCE", "simulated_shop")
    folder = write_fake_pipeline(pipeline)
    assert states_after(recommendations_dag) == ("success", {"is_tonight": "success", "decide": "success"})
    (decided,) = calls(folder)
    where = {"source": "simulated_shop", "scenario": "recommendation"}
    assert (decided["command"], decided["options"]) == ("decide", where | {"date": SUNDAY})


def test_observations_come_before_the_list(dag):
    assert dag.timetable.asset_condition.name == "events"
    assert {task.task_id: task.upstream_task_ids for task in dag.tasks} == {
        "week_begins": set(),
        "observe": {"week_begins"},
        "decide": {"observe"},
    }
    assert all(task.doc_md and task.execution_timeout and task.retries == 2 for task in dag.tasks)
    assert "{" not in dag.doc_md.replace('{"decide": true}', "")


@pytest.mark.parametrize(
    ("date", "tonight", "conf", "why"),
    [
        ("2026-01-31", "2026-01-31", {}, "2026-02-01 is a sunday: no week starts then, but on each monday"),
        ("2026-01-31", "2026-01-31", {"decide": True}, "no week starts then"),
        (SUNDAY, "2026-02-08", {}, "not tonight's date"),
    ],
)
def test_other_dates_are_skipped_with_the_reason(monkeypatch, date, tonight, conf, why):
    monkeypatch.setenv("NIGHTCART_TONIGHT", tonight)
    with pytest.raises(AirflowSkipException, match=why):
        skip_unless_week_begins(FakeRun(partition_key=date, conf=conf), "monday")


def test_a_past_week_is_decided_where_somebody_says_so(monkeypatch):
    monkeypatch.setenv("NIGHTCART_TONIGHT", "2026-03-01")
    assert skip_unless_week_begins(FakeRun(partition_key=SUNDAY, conf={"decide": True}), "monday") == "2026-02-02"


@pytest.fixture
def pipeline(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "venv"))
    monkeypatch.setenv("NIGHTCART_SOURCE", "simulated_promotion")
    monkeypatch.setenv("NIGHTCART_TONIGHT", SUNDAY)
    return tmp_path / "venv"


def states_after(dag):
    run = dag.test(run_conf={"date": SUNDAY})
    return run.state, {task.task_id: str(task.state) for task in run.get_task_instances()}


def test_a_run_observes_the_week_s_first_day_and_decides_by_the_day_before(dag, pipeline, airflow_home):
    folder = write_fake_pipeline(pipeline)
    assert states_after(dag) == ("success", dict.fromkeys(("week_begins", "observe", "decide"), "success"))
    observed, decided = calls(folder)
    where = {"source": "simulated_promotion", "scenario": "promotion"}
    assert (observed["command"], observed["options"]) == ("observe", where | {"as-of": "2026-02-02"})
    assert (decided["command"], decided["options"]) == ("decide", where | {"date": SUNDAY})


def test_without_a_champion_there_is_no_list_and_nothing_is_red(dag, pipeline, airflow_home):
    write_fake_pipeline(pipeline, skip={"decide": "no version is champion"})
    state, tasks = states_after(dag)
    assert (state, tasks["decide"]) == ("success", "skipped")


def test_a_night_s_list_comes_last_so_that_it_is_of_tonight_s_champion():
    settings = Settings.from_environment({"NIGHTCART_SOURCE": "simulated_promotion"})
    names = [one.dag_id for one in night_dags("promotion", settings)]
    assert names == ["ingest_events", "build_promotion", "train_promotion", "review_promotion", "decide_promotion"]


@pytest.fixture(scope="module")
def orders_dag() -> DAG:
    found = decide_dag(load_pipeline("inventory", "simulated_inventory"))
    assert found is not None
    return found


def test_orders_follow_the_transitions_of_tonight(orders_dag):
    assert orders_dag.dag_id == "decide_inventory"
    assert orders_dag.timetable.asset_condition.name == "transitions/inventory"
    assert {task.task_id: task.upstream_task_ids for task in orders_dag.tasks} == {
        "is_tonight": set(),
        "decide": {"is_tonight"},
    }
    assert all(task.doc_md and task.execution_timeout and task.retries == 2 for task in orders_dag.tasks)
    assert "{" not in orders_dag.doc_md.replace('{"decide": true}', "")


def test_a_night_of_orders_trains_each_way_to_order_and_ends_with_the_list(monkeypatch):
    monkeypatch.setenv("NIGHTCART_SOURCE", "simulated_inventory")
    made = night_dags("inventory", Settings.from_environment())
    names = [f"{verb}_inventory" for verb in ("build", "train", "review", "decide")]
    assert [dag.dag_id for dag in made] == ["ingest_events", *names]
    candidates = load_pipeline("inventory", "simulated_inventory").scenario.orders.candidate_names
    assert all(name in made[2].doc_md for name in candidates)
    assert "base_stock-1" in candidates and "hindsight-3" in candidates


def test_a_morning_s_orders_are_decided_by_the_day_before(orders_dag, pipeline, airflow_home, monkeypatch):
    monkeypatch.setenv("NIGHTCART_SOURCE", "simulated_inventory")
    folder = write_fake_pipeline(pipeline)
    assert states_after(orders_dag) == ("success", {"is_tonight": "success", "decide": "success"})
    (decided,) = calls(folder)
    where = {"source": "simulated_inventory", "scenario": "inventory"}
    assert (decided["command"], decided["options"]) == ("decide", where | {"date": SUNDAY})


def test_orders_of_past_mornings_are_skipped_unless_asked_for(monkeypatch):
    monkeypatch.setenv("NIGHTCART_TONIGHT", "2026-03-01")
    with pytest.raises(AirflowSkipException, match="not tonight's date"):
        skip_unless_tonights_list(FakeRun(partition_key=SUNDAY, conf={}))
    assert skip_unless_tonights_list(FakeRun(partition_key=SUNDAY, conf={"decide": True})) == SUNDAY
