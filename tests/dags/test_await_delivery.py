"""The task that waits for a whole delivery: it waits, tells at the deadline, and fails at the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.sdk.exceptions import AirflowFailException

from conf.specs.arrival import Arrival
from conf.specs.source import Source, load_source
from dags.await_delivery import DeliverySensor
from dags.ingest_events import ingest_events
from tests.dags.alerts.sinks import Sink, webhook
from tests.dags.fake_pipeline import calls, write_fake_pipeline
from tests.dags.runs import FakeRun

DATE = "2026-01-31"


@pytest.fixture
def posted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """A source that declares when a delivery is whole, its logs, and a webhook."""

    def declared(name: str) -> Source:
        arrival = Arrival(marker="**/_SUCCESS", by="06:30", wait_hours=4)
        return load_source(name).model_copy(update={"arrival": arrival})

    for module in ("await_delivery", "ingest_events"):
        monkeypatch.setattr(f"dags.{module}.load_source", declared)
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    monkeypatch.setenv("NIGHTCART_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("NIGHTCART_LOGS", str(tmp_path / "logs"))
    monkeypatch.setenv("NIGHTCART_PIPELINE_VENV", str(tmp_path / "venv"))
    (tmp_path / "logs" / DATE).mkdir(parents=True)
    (tmp_path / "logs" / DATE / "events.jsonl").write_text("{}\n")
    with webhook() as sink:
        monkeypatch.setenv("NIGHTCART_ALERT_WEBHOOK", f"http://127.0.0.1:{sink.port}")
        yield sink


def looked_at(clock: str) -> bool:
    """What a look at the time of 2026-02-01 in the shop's zone finds."""
    at = datetime.fromisoformat(f"2026-02-01T{clock}:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    sensor = DeliverySensor(task_id="await_delivery", source="simulated_shop", now=lambda: at)
    return sensor.poke({"dag_run": FakeRun(DATE)})


def test_a_delivery_that_is_not_whole_is_waited_for(posted: Sink, tmp_path: Path) -> None:
    """Nobody is told before the deadline; once the rest is there the run goes on."""
    assert looked_at("06:29") is False
    assert posted.received == []
    (tmp_path / "logs" / DATE / "_SUCCESS").touch()
    assert looked_at("06:29") is True


def test_the_deadline_tells_once_and_waiting_goes_on(posted: Sink) -> None:
    """With what is missing; every later look says nothing more."""
    assert looked_at("06:30") is False
    assert looked_at("06:35") is False
    (content,) = posted.received
    assert (content["alert"], content["about"]) == ("no_delivery", f"simulated_shop {DATE}")
    assert "isn't whole: no marker **/_SUCCESS" in content["reason"]


def test_at_the_end_of_waiting_the_task_fails(posted: Sink) -> None:
    """Four hours after the deadline; the message says both cures."""
    with pytest.raises(AirflowFailException, match=r"deliver the rest and clear this task, or .*make accept SOURCE="):
        looked_at("10:30")


def test_a_person_who_waits_is_told_at_once(posted: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make nightly` in process doesn't keep anybody for hours, and alerts nobody before the deadline."""
    monkeypatch.setenv("NIGHTCART_NIGHT", "a-night")
    with pytest.raises(AirflowFailException, match="isn't whole"):
        looked_at("01:00")
    assert posted.received == []


def test_a_delivery_that_was_left_out_is_not_waited_for(posted: Sink, tmp_path: Path) -> None:
    """A person said so."""
    note = tmp_path / "lake" / "simulated_shop" / "raw" / "_held_back" / f"delivery_date={DATE}.json"
    note.parent.mkdir(parents=True)
    note.write_text('{"why": "half", "left_out": "closed"}')
    assert looked_at("10:30") is True


def test_logs_that_are_nowhere_are_waited_for(posted: Sink, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that is mounted later."""
    monkeypatch.setenv("NIGHTCART_LOGS", str(tmp_path / "mounted-later"))
    assert looked_at("01:00") is False


def test_half_a_day_is_never_ingested(posted: Sink, tmp_path: Path, airflow_home: Path) -> None:
    """Airflow's own run of a date that isn't waited for any more: it fails, tells, and ingest never runs."""
    folder = write_fake_pipeline(tmp_path / "venv")
    dag: Any = ingest_events()
    assert dag.get_task("ingest").upstream_task_ids == {"await_delivery"}
    assert dag.test(run_conf={"date": DATE}).state == "failed"
    assert {one["alert"] for one in posted.received} == {"no_delivery"}
    assert calls(folder) == []
    (tmp_path / "logs" / DATE / "_SUCCESS").touch()
    assert ingest_events().test(run_conf={"date": DATE}).state == "success"
    assert [call["command"] for call in calls(folder)] == ["ingest"]


def test_a_source_that_declares_nothing_waits_for_nothing() -> None:
    """As every source that ships."""
    assert ingest_events().task_ids == ["ingest"]
