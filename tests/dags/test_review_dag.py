"""The review, run by Airflow in process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from dags.review_request import read_registration
from dags.scenario_dags import scenario_dags
from dags.tonight import skip_unless_tonight
from tests.dags.fake_pipeline import calls, write_fake_pipeline
from tests.dags.runs import FakeRun

DATE = "2026-01-31"
REGISTRATION = {
    "model": "recommendation-policy",
    "version": 3,
    "reasons": ["too few episodes"],
    "dataset_digest": "d1",
    "run_id": "r1",
    "is_new": True,
}


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Leaves a registration with the verdict given."""
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "venv"))

    def register(verdict: str) -> Path:
        folder = write_fake_pipeline(tmp_path / "venv", verdict=verdict)
        run = tmp_path / "runs" / "simulated_shop" / "recommendation" / DATE
        run.mkdir(parents=True)
        (run / "registration.json").write_text(json.dumps(REGISTRATION | {"verdict": verdict}))
        return folder

    return register


def review_dag(approval: str) -> DAG:
    settings = Settings.from_environment({"NIGHTCART_APPROVAL": approval})
    return scenario_dags(load_pipeline("recommendation", settings.source), settings)[2]


def states_after(dag: DAG) -> dict[str, str]:
    """State of each task after a run for the date."""
    run = dag.test(run_conf={"date": DATE})
    assert run.state == "success"
    return {task.task_id: str(task.state) for task in run.get_task_instances()}


def test_review_promotes_the_registered_version(registered: Any, airflow_home: Path) -> None:
    """With automatic approval a promotable version becomes the champion: by number, not by alias."""
    folder = registered("promote")
    assert states_after(review_dag("auto")) == {
        "read_registration": "success",
        "approve": "success",
        "promote": "success",
    }
    assert [(call["command"], call["options"]["version"]) for call in calls(folder)] == [("promote", "3")]


@pytest.mark.parametrize("verdict", ["reject", "abstain"])
def test_review_is_skipped_where_the_gate_says_no(registered: Any, airflow_home: Path, verdict: str) -> None:
    """No red: nothing failed, nobody is asked, nothing is promoted."""
    folder = registered(verdict)
    assert set(states_after(review_dag("human")).values()) == {"skipped"}
    assert calls(folder) == []


def test_review_asks_a_person_unless_approval_is_automatic() -> None:
    """The setting decides over the spec; no answer in time counts as Reject."""
    asked: Any = review_dag("human").get_task("approve")
    assert isinstance(asked, ApprovalOperator)
    assert asked.defaults == ["Reject"]
    assert asked.response_timeout is not None
    assert "version" in asked.subject
    assert isinstance(review_dag("auto").get_task("approve"), EmptyOperator)


def test_read_registration_tells_the_version_and_its_page(registered: Any, tmp_path: Path) -> None:
    """What the approval's text is made of."""
    registered("promote")
    found = read_registration(FakeRun(partition_key=DATE), "recommendation")
    assert found["version"] == "3"
    assert found["page"] == str(tmp_path / "runs/simulated_shop/recommendation" / DATE / "review.html")


def test_read_registration_skips_with_the_reasons(registered: Any) -> None:
    """The log of the skipped task says what the gate said."""
    registered("abstain")
    with pytest.raises(AirflowSkipException, match=r"version 3: verdict abstain \(too few episodes\)"):
        read_registration(FakeRun(partition_key=DATE), "recommendation")


def test_read_registration_without_any_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A review of a date that was never trained is broken, not a refusal."""
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    with pytest.raises(AirflowException, match="no such file; run train_recommendation for 2026-01-31"):
        read_registration(FakeRun(partition_key=DATE), "recommendation")


def test_skip_unless_tonight_lets_tonights_date_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tonight's transitions start the training."""
    monkeypatch.setenv("NIGHTCART_TONIGHT", DATE)
    assert skip_unless_tonight(FakeRun(partition_key=DATE)) == DATE


def test_skip_unless_tonight_stops_a_backfilled_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backfill of data alone never trains."""
    monkeypatch.setenv("NIGHTCART_TONIGHT", DATE)
    with pytest.raises(AirflowSkipException, match="2026-01-30 is not tonight's date"):
        skip_unless_tonight(FakeRun(partition_key="2026-01-30"))


def test_skip_unless_tonight_obeys_a_wish_to_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who wants a past date trained says so."""
    monkeypatch.setenv("NIGHTCART_TONIGHT", DATE)
    assert skip_unless_tonight(FakeRun(partition_key="2026-01-30", conf={"train": True})) == "2026-01-30"
