"""Each alert as Airflow sets it off: real runs of the DAGs, a webhook that listens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from conf.paths import Run
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import load_pipeline
from dags.alerts.findings import HELD_BACK, NOTHING_CAME, failures, nothing_promotable, waiting_approval
from dags.alerts.pace import Pace, keep_pace
from dags.alerts.telling import AlertNotifier
from dags.ingest_events import ingest_events
from dags.monitor_dags import monitor_dag
from dags.scenario_dags import scenario_dags
from tests.dags.alerts.sinks import Sink, webhook
from tests.dags.fake_pipeline import write_fake_pipeline

DATE = "2026-01-31"
SOURCE, SCENARIO = "simulated_shop", "recommendation"


@pytest.fixture
def posted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow_home: Path) -> Iterator[Sink]:
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "venv"))
    write_fake_pipeline(tmp_path / "venv")
    with webhook() as sink:
        monkeypatch.setenv("NIGHTCART_ALERT_WEBHOOK", f"http://127.0.0.1:{sink.port}")
        yield sink


def dag_of(verb: str) -> DAG:
    """One of the scenario's DAGs; nothing is tried again."""
    if verb == "ingest":
        made = ingest_events()
    else:
        pipeline = load_pipeline(SCENARIO, SOURCE)
        made = {dag.dag_id: dag for dag in scenario_dags(pipeline, Settings.from_environment())}[f"{verb}_{SCENARIO}"]
    for task in made.tasks:
        if task.is_mapped:
            task.partial_kwargs["retries"] = 0
        else:
            task.retries = 0
    return made


@pytest.mark.parametrize(
    ("verb", "failing", "code", "message", "name"),
    [
        ("ingest", "ingest", 65, "41% rejected; as it is: make accept DELIVERY=2026-01-31", "delivery_held_back"),
        ("build", "build", 65, "transitions: 14 episodes have no end flag", "failed_check"),
        ("build", "build", 1, "no space left", "task_failed"),
    ],
)
def test_a_failure_is_told_by_what_it_means(
    posted: Sink, tmp_path: Path, verb: str, failing: str, code: int, message: str, name: str
) -> None:
    """Once, with the command's own reason."""
    write_fake_pipeline(tmp_path / "venv", fail={failing: (code, message)})
    assert dag_of(verb).test(run_conf={"date": DATE}).state == "failed"
    (content,) = posted.received
    assert (content["alert"], content["reason"]) == (name, message)
    assert DATE in content["about"] and failing in content["about"]


@pytest.mark.parametrize(
    ("task_id", "reason", "name"),
    [
        ("ingest", "no delivery for 2026-01-31: there is none at all; name another date", "no_delivery"),
        ("ingest", "/logs: no such file or folder; name the delivered log", "no_delivery"),
        ("ingest", "/logs: no file that source canonical reads; expected **/*.jsonl", "no_delivery"),
        ("ingest", "1 delivery(s) could not be landed; to go on: make accept SOURCE=x", "delivery_held_back"),
        ("ingest", "canonical up to 2026-01-31: lines don't add up", "failed_check"),
        ("await_delivery", "not whole; or make accept SOURCE=x", "no_delivery"),
        ("evaluate", "no split", "task_failed"),
    ],
)
def test_what_would_fail_again_is_named_by_its_reason(task_id: str, reason: str, name: str) -> None:
    """The words are those of the commands: another wording there would be another alert here."""
    instance = SimpleNamespace(dag_id="ingest_events", task_id=task_id, task=None, try_number=1)
    run = SimpleNamespace(partition_key=DATE, conf={}, run_id="r")
    (found,) = failures({"ti": instance, "dag_run": run, "exception": AirflowFailException(reason)})
    assert (found.name, found.reason) == (name, reason)


@pytest.mark.parametrize("words", [HELD_BACK, *NOTHING_CAME])
def test_the_words_that_name_an_alert_are_said_by_the_jobs(words: str) -> None:
    """In the landing's own errors."""
    modules = (PROJECT_ROOT / "jobs" / "landing").glob("*.py")
    assert any(words in path.read_text(encoding="utf-8") for path in modules)


def test_a_task_that_is_tried_again_is_not_told(posted: Sink, tmp_path: Path) -> None:
    """The alert is of what failed for good."""
    dag = dag_of("build")
    assert dag.get_task("build").on_retry_callback
    told = dag.get_task("build").on_retry_callback
    assert not any(isinstance(one, AlertNotifier) for one in (told if isinstance(told, list | tuple) else [told]))


def test_nights_without_a_promotion_are_told(posted: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third night in a row, as its training registers it."""
    monkeypatch.setenv("NIGHTCART_ALERT_NIGHTS", "3")
    write_fake_pipeline(tmp_path / "venv", verdict="reject")
    for day in (29, 30):
        leave(tmp_path, date(2026, 1, day), {"verdict": "reject", "reasons": ["no gain"]})
    assert dag_of("train").test(run_conf={"date": DATE}).state == "success"
    (content,) = posted.received
    assert content["alert"] == "nothing_promotable"
    assert "3 nights in a row, from 2026-01-29 on" in content["reason"] and "told so" in content["reason"]


def test_a_night_with_nothing_to_learn_counts_as_one_without_promotion(
    posted: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It registers nothing; its preparing task tells."""
    monkeypatch.setenv("NIGHTCART_ALERT_NIGHTS", "2")
    write_fake_pipeline(tmp_path / "venv", skip={"prepare": "no shopper came twice"})
    leave(tmp_path, date(2026, 1, 30), {"verdict": "abstain", "reasons": ["too few"]})
    run = Run(tmp_path, SOURCE, SCENARIO, date.fromisoformat(DATE))
    run.folder.mkdir(parents=True)
    dag_of("train").test(run_conf={"date": DATE})
    (content,) = posted.received
    assert content["alert"] == "nothing_promotable" and "no shopper came twice" in content["reason"]


def test_what_is_not_served_any_more_is_told_once(posted: Sink, tmp_path: Path, monkeypatch) -> None:
    """As the night's look has it, in its words; other alerts of the look are the page's."""
    monkeypatch.setenv("NIGHTCART_TONIGHT", DATE)
    dag = monitor_dag(load_pipeline(SCENARIO, SOURCE))
    assert dag is not None
    night = Run(tmp_path, SOURCE, SCENARIO, date.fromisoformat(DATE))
    night.folder.mkdir(parents=True)
    told = {"kind": "nothing_served", "day": "2026-01-28", "subject": "service", "sentence": "Nothing was served on …"}
    night.monitor.write_text(json.dumps({"alerts": [told, told | {"kind": "changed"}]}))
    for _ in range(2):
        assert dag.test(run_conf={"date": DATE}).state == "success"
    (content,) = posted.received
    assert (content["alert"], content["about"]) == ("nothing_served", f"{SCENARIO} on {SOURCE}, from 2026-01-28 on")
    assert content["reason"] == "Nothing was served on …"


def test_a_slow_night_and_a_filling_disk_are_told(
    posted: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against what the nights before left; the night's own pace is kept for the next ones."""
    monkeypatch.setattr("dags.alerts.pace._LEAST_SECONDS", 0.0)  # a test's night is short
    for day in range(20, 27):
        kept = Pace("train_recommendation", f"2026-01-{day}", 0.001, 10**18, 10**18)
        keep_pace(Run(tmp_path, SOURCE, SCENARIO, date(2026, 1, day)), kept)
    assert dag_of("train").test(run_conf={"date": DATE}).state == "success"
    assert [one["alert"] for one in posted.received] == ["slow_night", "disk"]
    assert json.loads(Run(tmp_path, SOURCE, SCENARIO, date.fromisoformat(DATE)).seconds("night").read_text())["seconds"]


def test_a_row_ends_with_a_promotable_night(tmp_path: Path) -> None:
    """Later nights and nights without an outcome don't count; each further row of as many is told."""
    first = date(2026, 1, 1)
    verdicts: list[str | None] = ["reject", "promote", "reject", None, "abstain", "reject", "reject", "reject"]
    for number, verdict in enumerate(verdicts):
        told = None if verdict is None else {"verdict": verdict, "reasons": []}
        leave(tmp_path, first + timedelta(days=number), told)
    found = {
        number: nothing_promotable(tmp_path, SOURCE, SCENARIO, first + timedelta(days=number), 2)
        for number in range(len(verdicts))
    }
    assert [number for number, one in found.items() if one is not None] == [4, 6]
    assert nothing_promotable(tmp_path, SOURCE, "another", first, 1) is None


def leave(home: Path, night: date, told: dict[str, Any] | None) -> None:
    run = Run(home, SOURCE, SCENARIO, night)
    run.folder.mkdir(parents=True)
    if told is not None:
        run.registration.write_text(json.dumps(told))


def test_an_approval_that_waits_is_told_as_it_is_asked(posted: Sink) -> None:
    """By the notifier of the task that asks, which Airflow calls; with the page and what was gained."""
    review = dag_of("review")
    (notifier,) = review.get_task("approve").notifiers
    assert isinstance(notifier, AlertNotifier) and notifier.find is waiting_approval
    found = {
        "model": "recommendation-policy",
        "version": "3",
        "verdict": "promote",
        "page": "/runs/review.html",
        "page_url": "http://127.0.0.1:8080/review",
        "request": {"gain": "+12.3%", "changes": "31% of the decisions"},
    }
    instance = SimpleNamespace(task_id="approve", xcom_pull=lambda **_: found)
    notifier({"ti": instance, "dag": review})
    (content,) = posted.received
    assert content["about"] == "recommendation-policy version 3"
    assert "+12.3%" in content["reason"] and "http://127.0.0.1:8080/review" in content["reason"]
