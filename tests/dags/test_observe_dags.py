"""The DAG of tomorrow's histories: after tonight's date, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowSkipException

from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from dags.nights.nightly_dags import night_dags
from dags.observe_dags import observe_dag, skip_unless_tomorrow_is_served
from tests.dags.fake_pipeline import calls, write_fake_pipeline
from tests.dags.runs import FakeRun

TONIGHT = "2026-01-31"


@pytest.fixture(scope="module")
def dag() -> DAG:
    found = observe_dag(load_pipeline("recommendation", "simulated_shop"))
    assert found is not None
    return found


def test_scenarios_that_answer_no_request_are_not_observed_for_one() -> None:
    assert observe_dag(load_pipeline("promotion", "simulated_promotion")) is None


def test_other_dates_are_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTCART_TONIGHT", TONIGHT)
    with pytest.raises(AirflowSkipException, match="2026-01-30 is not tonight's date"):
        skip_unless_tomorrow_is_served(FakeRun(partition_key="2026-01-30"))
    assert skip_unless_tomorrow_is_served(FakeRun(partition_key=TONIGHT)) == "2026-02-01"
    asked = FakeRun(partition_key="2026-01-30", conf={"observe": True})
    assert skip_unless_tomorrow_is_served(asked) == "2026-01-31"


def test_a_run_observes_as_of_the_day_after(dag: DAG, tmp_path: Path, monkeypatch, airflow_home) -> None:
    for name, value in {"HOME": tmp_path, "PIPELINE_VENV": tmp_path / "venv", "TONIGHT": TONIGHT}.items():
        monkeypatch.setenv(f"NIGHTCART_{name}", str(value))
    folder = write_fake_pipeline(tmp_path / "venv")
    run = dag.test(run_conf={"date": TONIGHT})
    assert {task.task_id: str(task.state) for task in run.get_task_instances()} == {
        "tomorrow_is_served": "success",
        "observe": "success",
    }
    (observed,) = calls(folder)
    where = {"source": "simulated_shop", "scenario": "recommendation"}
    assert (observed["command"], observed["options"]) == ("observe", where | {"as-of": "2026-02-01"})


def test_a_night_observes_and_decides_last_so_that_a_promoted_champion_starts_with_it() -> None:
    settings = Settings.from_environment({})
    names = [one.dag_id for one in night_dags("recommendation", settings)]
    assert names == [
        f"{verb}_recommendation" if verb != "ingest" else "ingest_events"
        for verb in ("ingest", "build", "train", "review", "observe", "decide")
    ]
