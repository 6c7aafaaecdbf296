"""The review, run by Airflow in process."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from conf.settings import Settings
from conf.specs.review import Review
from conf.specs.scenario import load_pipeline
from dags.approval import Approval, answer_of
from dags.review_request import APPROVAL_BODY, read_registration
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
REQUEST: dict[str, Any] = {
    "gain": "+12.3% (+0.12 points per episode)",
    "rests_on": "310 of 1,200 shoppers",
    "changes": "31.0% of the decisions are other than in the log",
    "guardrails": ["clicks: kept; may fall by at most 2.0% (allowed to fall by 10.0%)"],
    "share_changed": 0.31,
}


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Leaves a registration with the verdict given."""
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "venv"))

    def register(verdict: str, **more: Any) -> Path:
        folder = write_fake_pipeline(tmp_path / "venv", verdict=verdict)
        run = tmp_path / "runs" / "simulated_shop" / "recommendation" / DATE
        run.mkdir(parents=True)
        (run / "registration.json").write_text(json.dumps(REGISTRATION | {"verdict": verdict} | more))
        return folder

    return register


def review_dag(approval: str, **review: Any) -> DAG:
    settings = Settings.from_environment({"NIGHTCART_APPROVAL": approval})
    pipeline = load_pipeline("recommendation", settings.source)
    scenario = pipeline.scenario.model_copy(update={"review": Review(**review)})
    return scenario_dags(pipeline.model_copy(update={"scenario": scenario}), settings)[2]


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
    """The setting decides over the spec; no answer in time counts as Reject, and a comment may be given."""
    asked: Any = review_dag("human").get_task("approve")
    assert isinstance(asked, Approval)
    assert asked.options == ["Approve", "Reject"]
    assert asked.defaults == ["Reject"]
    assert asked.response_timeout == timedelta(days=3)
    assert "version" in asked.subject
    assert list(asked.serialized_params) == ["comment"]
    assert isinstance(review_dag("auto").get_task("approve"), EmptyOperator)
    assert "reject" not in review_dag("auto").task_ids


def test_a_second_person_is_asked_where_the_spec_has_a_limit() -> None:
    """Only those whom it lists may answer; what either rejects goes to the same task."""
    dag = review_dag("human", respondents=("ann", "bob"), second_person_above=0.3, days_to_answer=5)
    first, second = (cast(Any, dag.get_task(name)) for name in ("approve", "approve_second"))
    assert [user["id"] for user in first.assigned_users] == ["ann", "bob"]
    assert second.response_timeout == timedelta(days=5)
    assert first.options_mapping == {"Approve": "approve_second", "Reject": "reject"}
    assert second.options_mapping == {"Approve": "promote", "Reject": "reject"}
    assert dag.get_task("reject").upstream_task_ids == {"approve", "approve_second"}
    assert "approve_second" not in review_dag("human").task_ids


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            {"responded_by_user": {"id": "ann", "name": "ann"}, "params_input": {"comment": " bold, but fine "}},
            {"who": "ann", "why": "bold, but fine", "overdue": ""},
        ),
        ({"responded_by_user": {"id": "ann", "name": "ann"}}, {"who": "ann", "why": "no comment", "overdue": ""}),
        (
            {"responded_by_user": None, "params_input": {"comment": ""}, "timedout": True},
            {"who": "nobody", "why": "no answer in 3 days", "overdue": "--overdue"},
        ),
    ],
    ids=["comment", "no comment", "overdue"],
)
def test_an_answer_says_who_and_why(event: dict[str, Any], expected: dict[str, str]) -> None:
    """What the commands are told; nobody in particular rejects what was not answered."""
    assert answer_of(event, 3) == expected


def form_of(found: object) -> str:
    """The text of the approval form, of what was read of a registration."""
    environment = review_dag("human").get_template_env()
    run = SimpleNamespace(partition_key=DATE, conf={})
    text: str = environment.from_string(APPROVAL_BODY).render(
        ti=SimpleNamespace(xcom_pull=lambda **_: found), dag_run=run
    )
    return text


def test_the_form_carries_what_a_person_decides_by(registered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdict, gain, what it rests on, guardrails, and an address that opens the page."""
    registered("promote", request=REQUEST)
    found = read_registration(FakeRun(partition_key=DATE), "recommendation")
    body = form_of(found)
    for told in (*[REQUEST[name] for name in ("gain", "rests_on", "changes")], REQUEST["guardrails"][0]):
        assert f"| {told} |" in body
    assert f"](http://127.0.0.1:8080/nightcart/pages/simulated_shop/recommendation/{DATE}/review.html)" in body
    assert "Two people" not in body


@pytest.mark.parametrize(
    ("name", "told", "row"),
    [
        ("second_look", "a second look at version 1", "passed by"),
        ("close_call", "Close call: trained again, the verdict could be reject.", "take care"),
    ],
)
@pytest.mark.parametrize("is_given", [None, False, True])
def test_the_form_says_what_only_some_nights_have(
    registered: Any, name: str, told: str, row: str, *, is_given: bool | None
) -> None:
    """A night without it, and a registration of an earlier release, leave no empty row in the table."""
    registered("promote", request=REQUEST | ({} if is_given is None else {name: told if is_given else ""}))
    body = form_of(read_registration(FakeRun(partition_key=DATE), "recommendation"))
    rows = [line.split("|")[1].strip() for line in body.splitlines() if line.startswith("|")]
    assert rows[2:4] == (["verdict", row] if is_given else ["verdict", "gain"])
    assert "\n\n| gain" not in body
    assert (told in body) == bool(is_given)


def test_a_registration_of_an_earlier_release_is_asked_about_too(registered: Any) -> None:
    """It says less, and the page has the rest."""
    registered("promote")
    found = read_registration(FakeRun(partition_key=DATE), "recommendation")
    assert (found["request"]["gain"], found["n_people"]) == ("on the page", 1)


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


REJECTION = {
    "registry": "mlflow.db",
    "model": "recommendation-policy",
    "kind": "reject",
    "version": 3,
    "replaced": None,
    "who": "ann",
    "why": "too bold before the sale",
    "at": "2026-02-01T09:30:00Z",
}


def test_nobody_is_asked_again_about_a_version_that_was_rejected(registered: Any, tmp_path: Path) -> None:
    """The skipped task says by whom, when and why; the first word stands, and a cleared approval doesn't ask either."""
    registered("promote")
    again = REJECTION | {"who": "bob", "at": "2026-02-02T10:00:00Z", "why": "indeed"}
    (tmp_path / "approvals.json").write_text(json.dumps([REJECTION, again]))
    told = r"version 3 was rejected \(ann, 2026-02-01 09:30: too bold before the sale\) and stays so"
    with pytest.raises(AirflowSkipException, match=told):
        read_registration(FakeRun(partition_key=DATE), "recommendation")
    for name in ("approve", "approve_second"):
        asked: Any = review_dag("human", respondents=("ann", "bob"), second_person_above=0.3).get_task(name)
        known = {"model": "recommendation-policy", "version": "3", "n_people": 2}
        with pytest.raises(AirflowSkipException, match=told):
            asked.execute({"ti": SimpleNamespace(xcom_pull=lambda known=known, **_: known)})


@pytest.mark.parametrize(
    "other", [{"version": 2}, {"model": "promotion-policy"}, {"registry": "http://mlflow"}, {"kind": "approve"}]
)
def test_what_was_said_of_another_version_keeps_nobody_from_being_asked(
    registered: Any, tmp_path: Path, other: dict[str, Any]
) -> None:
    registered("promote")
    (tmp_path / "approvals.json").write_text(json.dumps([REJECTION | other]))
    assert read_registration(FakeRun(partition_key=DATE), "recommendation")["version"] == "3"


def test_a_record_that_can_not_be_read_is_told_before_anybody_is_asked(registered: Any, tmp_path: Path) -> None:
    registered("promote")
    (tmp_path / "approvals.json").write_text("[{}]")
    with pytest.raises(AirflowException, match="not what this home wrote of who approved what"):
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
