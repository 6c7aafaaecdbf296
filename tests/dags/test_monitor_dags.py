"""The DAG that watches what is served: after tonight's date, and skipped where nothing was."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

from conf.specs.rollout import Rollout
from conf.specs.scenario import load_pipeline
from dags.monitor_dags import monitor_dag, skip_unless_tonights_look
from tests.dags.fake_pipeline import calls, write_fake_pipeline
from tests.dags.runs import FakeRun

TONIGHT = "2026-01-31"


@pytest.fixture(scope="module")
def dag() -> DAG:
    found = monitor_dag(load_pipeline("recommendation", "simulated_shop"))
    assert found is not None
    return found


def test_scenarios_that_no_service_decides_for_are_not_monitored() -> None:
    assert monitor_dag(load_pipeline("promotion", "simulated_promotion")) is None


def test_other_dates_are_skipped_unless_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTCART_TONIGHT", TONIGHT)
    with pytest.raises(AirflowSkipException, match="its look was taken"):
        skip_unless_tonights_look(FakeRun(partition_key="2026-01-30"))
    asked = FakeRun(partition_key="2026-01-30", conf={"monitor": True})
    assert skip_unless_tonights_look(asked) == "2026-01-30"


@pytest.mark.parametrize(("skip", "state"), [({}, "success"), ({"monitor": "nothing was served"}, "skipped")])
def test_a_run_monitors_its_date(dag: DAG, tmp_path: Path, monkeypatch, airflow_home, skip, state) -> None:
    for name, value in {"HOME": tmp_path, "PIPELINE_VENV": tmp_path / "venv", "TONIGHT": TONIGHT}.items():
        monkeypatch.setenv(f"NIGHTCART_{name}", str(value))
    folder = write_fake_pipeline(tmp_path / "venv", skip=skip)
    run = dag.test(run_conf={"date": TONIGHT})
    assert {task.task_id: str(task.state) for task in run.get_task_instances()} == {
        "is_tonight": "success",
        "monitor": state,
    }
    (monitored,) = calls(folder)
    where = {"source": "simulated_shop", "scenario": "recommendation", "date": TONIGHT}
    assert (monitored["command"], monitored["options"]) == ("monitor", where)


def test_what_is_rolled_out_is_looked_at_beside_it(tmp_path: Path, monkeypatch, airflow_home) -> None:
    """Neither look waits for the other: one that finds nothing to do is skipped alone."""
    pipeline = load_pipeline("recommendation", "simulated_shop")
    scenario = pipeline.scenario.model_copy(update={"rollout": Rollout()})
    dag = monitor_dag(pipeline.model_copy(update={"scenario": scenario}))
    assert dag is not None
    for name, value in {"HOME": tmp_path, "PIPELINE_VENV": tmp_path / "venv", "TONIGHT": TONIGHT}.items():
        monkeypatch.setenv(f"NIGHTCART_{name}", str(value))
    folder = write_fake_pipeline(tmp_path / "venv", skip={"rollout": "nothing is being rolled out"})
    run = dag.test(run_conf={"date": TONIGHT})
    assert {task.task_id: str(task.state) for task in run.get_task_instances()} == {
        "is_tonight": "success",
        "monitor": "success",
        "rollout": "skipped",
    }
    assert {call["command"] for call in calls(folder)} == {"monitor", "rollout"}
