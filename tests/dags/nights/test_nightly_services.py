"""A night through the services, on what Airflow's API answered in real nights; the scheduler's test runs a real one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conf.settings import Settings
from dags.deployment.airflow_api import AirflowUnreachable
from dags.deployment.service_processes import Record, as_service, places_of, write_record
from dags.nights import nightly_services
from dags.nights.nightly_progress import NightlyProgress
from dags.nights.nightly_request import NightFailed
from dags.nights.nightly_services import ServicesNight, services_that_run

DATE = "2026-01-31"
INGEST, BUILD, TRAIN, REVIEW = DAGS = [
    "ingest_events",
    *(f"{verb}_recommendation" for verb in ("build", "train", "review")),
]


def settings_in(home: Path) -> Settings:
    return Settings.from_environment({"NIGHTCART_HOME": str(home)})


def task(
    task_id: str, state: str | None, try_number: int = 1, map_index: int = -1, name: str | None = None
) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "state": state,
        "try_number": try_number,
        "map_index": map_index,
        "rendered_map_index": name,
    }


class AnsweringApi:
    """Answers as Airflow does: a run shows its next moment each time its tasks are asked for, and ends with the last.

    Attributes:
        moments: by DAG, the tasks of its run as time goes by; the last moment's states decide how the run ends.
        under_way: DAGs that have a run of the date before the night begins.
        follows: DAGs that start by themselves when the DAG before has ended.
    """

    def __init__(self, moments: dict[str, list[list[dict[str, Any]]]]) -> None:
        self.moments = moments
        self.under_way: list[str] = []
        self.follows = [BUILD, TRAIN, REVIEW]
        self.is_paused = dict.fromkeys(DAGS, False)
        self.logs: list[dict[str, Any]] = []
        self.triggered: list[tuple[str, str, dict[str, Any]]] = []
        self.n_failing_answers = 0
        self._n_shown: dict[str, int] = {}

    def paused(self) -> dict[str, bool]:
        if self.n_failing_answers:
            self.n_failing_answers -= 1
            raise AirflowUnreachable("no answer (connection refused)")
        return self.is_paused

    def import_errors(self) -> list[str]:
        return ["Traceback\nSpecError: no such key"]

    def trigger(self, dag_id: str, date: str, conf: dict[str, Any]) -> str:
        self.triggered.append((dag_id, date, conf))
        return f"run of {dag_id}"

    def latest_runs(self, dag_id: str, date: str) -> list[dict[str, Any]]:
        assert date == DATE
        old = {**self.run(dag_id, f"old run of {dag_id}"), "state": "success", "queued_at": "2026-01-31T02:00:00Z"}
        before = DAGS[DAGS.index(dag_id) - 1]
        is_there = dag_id in self.under_way or (dag_id in self.follows and self._is_over(before))
        return [*([self.run(dag_id, f"run of {dag_id}")] if is_there else []), old]

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        state = "running" if not self._is_over(dag_id) else "success"
        if state == "success" and any(one["state"] == "failed" for one in self.moments[dag_id][-1]):
            state = "failed"
        return {"dag_id": dag_id, "dag_run_id": run_id, "state": state, "queued_at": "2026-01-31T03:00:00Z"}

    def tasks_of(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        at = min(self._n_shown.get(dag_id, 0), len(self.moments[dag_id]) - 1)
        self._n_shown[dag_id] = at + 1
        return [{**one, "dag_id": dag_id, "dag_run_id": run_id} for one in self.moments[dag_id][at]]

    def log(self, of: dict[str, Any], try_number: int) -> list[dict[str, Any]]:
        assert of["try_number"] == try_number
        return self.logs

    def _is_over(self, dag_id: str) -> bool:
        return self._n_shown.get(dag_id, 0) >= len(self.moments[dag_id])


def green() -> dict[str, list[list[dict[str, Any]]]]:
    """A night whose verdict isn't promote."""
    names = ("bc-1", "discrete_cql-1")
    return {
        INGEST: [[task("ingest", None, 0)], [task("ingest", "running")], [task("ingest", "success")]],
        BUILD: [[task("build", "success"), task("announce_tonight", "success")]],
        TRAIN: [
            # A task takes its name a moment after it has begun; until then it has none, or its number.
            [task("train", "running", 1, 0), task("train", "running", 1, 1, "1")],
            [task("prepare", "success"), *(task("train", "running", 1, i, name) for i, name in enumerate(names))],
            [*(task("train", "success", 1, i, name) for i, name in enumerate(names)), task("register", "success")],
        ],
        REVIEW: [[task("read_registration", "skipped"), task("approve", "skipped", 0)]],
    }


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def progress(lines: list[str]) -> Iterator[NightlyProgress]:
    shown = NightlyProgress(lambda line: lines.append(line.partition("] ")[2].rstrip("\n")))
    yield shown
    shown.end()


@pytest.fixture
def live(tmp_path: Path, progress: NightlyProgress) -> Callable[..., ServicesNight]:
    """Lives through a night on the answers; the services' processes are this one."""
    services = tuple(as_service(name, os.getpid()) for name in ("supervisor", "api-server", "scheduler"))
    write_record(tmp_path, Record(services, source="simulated_shop", is_ready=True))

    def run(api: AnsweringApi, logs: str | None = "/logs") -> ServicesNight:
        night = ServicesNight(tmp_path, api, "recommendation", progress, pause=lambda _: None)  # type: ignore[arg-type]
        night.run(DATE, logs)
        return night

    return run


def without_seconds(lines: list[str]) -> list[str]:
    return [line.rpartition(", ")[0] if line.endswith(" s") else line for line in lines]


def test_night_shows_the_tasks_as_they_run(live: Callable[..., ServicesNight], lines: list[str]) -> None:
    """From one trigger through all DAGs; candidates side by side by their names, and nothing that never ran."""
    api = AnsweringApi(green())
    assert not live(api).is_asked
    assert api.triggered == [(INGEST, DATE, {"logs": "/logs"})]
    assert without_seconds(lines) == [
        "ingest",
        "ingest: done",
        "build",
        "build: done",
        "announce_tonight",
        "announce_tonight: done",
        "prepare",
        "prepare: done",
        "train bc-1",
        "train discrete_cql-1",
        "train bc-1: done",
        "train discrete_cql-1: done",
        "register",
        "register: done",
        "read_registration",
        "read_registration: skipped",
    ]


def test_night_ends_with_the_failing_task_and_its_reason(live: Callable[..., ServicesNight], lines: list[str]) -> None:
    """In the words of the task's own error; a try that isn't the last is told beside it."""
    moments = green()
    moments[TRAIN] = [
        [task("train", "up_for_retry", 1, 0, "bc-1")],
        [task("train", "running", 2, 0, "bc-1")],
        [task("train", "failed", 2, 0, "bc-1"), task("evaluate", "upstream_failed", 0)],
    ]
    api = AnsweringApi(moments)
    api.logs = [
        {
            "event": "Task failed with exception",
            "error_detail": [{"exc_type": "CommandFailed", "exc_value": "no disk"}],
        },
        {"event": "::endgroup::"},
    ]
    with pytest.raises(NightFailed, match=r"^train bc-1: no disk$"):
        live(api)
    assert without_seconds(lines)[-6:] == [
        "train bc-1",
        "train bc-1: failed, will be tried again",
        "train bc-1: no disk",
        "train bc-1",
        "train bc-1: FAILED",
        "train bc-1: no disk",
    ]


def test_night_goes_on_without_a_candidate_that_failed(live: Callable[..., ServicesNight], lines: list[str]) -> None:
    """What the DAG tolerates isn't the night's failure; a later failure is told as itself."""
    moments = green()
    moments[TRAIN] = [[task("train", "failed", 3, 0, "bc-1"), task("evaluate", "success")]]
    api = AnsweringApi(moments)
    api.run = lambda dag_id, run_id, ask=api.run: {  # type: ignore[method-assign, misc]
        **ask(dag_id, run_id),
        "state": "success" if api._is_over(dag_id) else "running",
    }
    api.logs = [{"event": "rl train: loss is not finite"}]
    live(api)
    assert "train bc-1: loss is not finite" in lines


def test_night_follows_a_run_of_the_date_that_is_under_way(
    live: Callable[..., ServicesNight], lines: list[str]
) -> None:
    """Nothing is computed twice: the scheduler's own run is followed from where it is."""
    api = AnsweringApi(green())
    api.under_way = [TRAIN]
    live(api)
    assert api.triggered == []
    assert lines[0] == f"{TRAIN} is at work on {DATE} already: this follows it"
    assert without_seconds(lines)[1] == "prepare"


def test_night_of_a_past_date_starts_the_training_itself(live: Callable[..., ServicesNight]) -> None:
    """To the services the date is data only; the person who asked for its night wants a policy."""
    moments = green()
    moments[BUILD] = [[task("build", "success"), task("announce_tonight", "skipped")]]
    api = AnsweringApi(moments)
    api.follows = [BUILD, REVIEW]
    follow = api.trigger

    def trigger(dag_id: str, date: str, conf: dict[str, Any]) -> str:
        api.follows.append(dag_id)
        return follow(dag_id, date, conf)

    api.trigger = trigger  # type: ignore[method-assign]
    live(api)
    assert [dag_id for dag_id, *_ in api.triggered] == [INGEST, TRAIN]


def test_night_ends_where_a_person_is_asked(live: Callable[..., ServicesNight]) -> None:
    """It doesn't wait three days for the answer."""
    moments = green()
    moments[REVIEW] = [[task("read_registration", "success"), task("approve", "awaiting_input")], []]
    assert live(AnsweringApi(moments)).is_asked


def test_night_waits_for_an_api_that_is_started_again(live: Callable[..., ServicesNight], lines: list[str]) -> None:
    """One line says so."""
    api = AnsweringApi(green())
    api.n_failing_answers = 5
    live(api)
    assert [line for line in lines if "doesn't answer" in line] == [lines[0]]


def test_night_refuses_a_paused_dag(live: Callable[..., ServicesNight]) -> None:
    """It would never be started, nor fail."""
    api = AnsweringApi(green())
    api.is_paused[TRAIN] = True
    with pytest.raises(NightFailed, match=f"{TRAIN} is paused"):
        live(api)


def test_night_ends_where_its_dag_is_paused_meanwhile(
    live: Callable[..., ServicesNight], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow starts none of its tasks any more, and the run never ends."""
    monkeypatch.setattr(nightly_services, "_SECONDS_BETWEEN_CHECKS", 0.0)
    api = AnsweringApi(green())
    show = api.tasks_of

    def tasks_of(dag_id: str, run_id: str) -> list[dict[str, Any]]:
        api.is_paused[TRAIN] = dag_id == TRAIN
        return show(dag_id, run_id)

    api.tasks_of = tasks_of  # type: ignore[method-assign]
    with pytest.raises(NightFailed, match=f"{TRAIN} was paused; unpause it"):
        live(api)


def test_night_says_that_it_waits_for_its_turn(
    live: Callable[..., ServicesNight], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One training runs at a time; behind another date's it may take hours."""
    monkeypatch.setattr(nightly_services, "_SECONDS_BETWEEN_CHECKS", 0.0)
    moments = green()
    moments[TRAIN] = [[], [], *moments[TRAIN]]
    api = AnsweringApi(moments)
    ask = api.run

    def run(dag_id: str, run_id: str) -> dict[str, Any]:
        is_waiting = dag_id == TRAIN and api._n_shown.get(TRAIN, 0) < 2
        return ask(dag_id, run_id) | ({"state": "queued"} if is_waiting else {})

    api.run = run  # type: ignore[method-assign]
    live(api)
    assert [line for line in lines if "waits for its turn" in line] == [
        f"{TRAIN} waits for its turn: runs of other dates are at work"
    ]


@pytest.mark.parametrize("left", [("api-server",), ("supervisor", "api-server")])
def test_night_ends_where_the_scheduler_stays_away(
    live: Callable[..., ServicesNight], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: tuple[str, ...]
) -> None:
    """The API answers on, always the same: at once where nobody would start the scheduler again, else after a while."""
    monkeypatch.setattr(nightly_services, "_SECONDS_BETWEEN_CHECKS", 0.0)
    monkeypatch.setattr(nightly_services, "_SECONDS_TO_COME_BACK", -1.0)
    services = tuple(as_service(name, os.getpid()) for name in left)
    write_record(tmp_path, Record(services, source="simulated_shop", is_ready=True))
    with pytest.raises(NightFailed, match="the scheduler has gone, and nobody starts it again; `make up`"):
        live(AnsweringApi(green()))


def test_night_ends_where_a_service_is_given_up(
    live: Callable[..., ServicesNight], tmp_path: Path, progress: NightlyProgress
) -> None:
    """Nobody would run its tasks."""
    path = tmp_path / "airflow" / "services.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "given_up": {"scheduler": "died 5 times"}}))
    with pytest.raises(NightFailed, match="scheduler died 5 times; `make up` starts all again"):
        live(AnsweringApi(green()))


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (Record(source="taobao"), "run on source taobao"),
        (
            Record(source="simulated_shop", given_up={"scheduler": "died 5 times"}),
            "aren't whole (scheduler died 5 times)",
        ),
        (
            Record(source="simulated_shop", places={"NIGHTCART_LAKE": "/elsewhere"}),
            "work with NIGHTCART_LAKE=/elsewhere, so this night runs in process",
        ),
        (Record(source="simulated_shop"), "aren't whole (API or scheduler don't run)"),
    ],
)
def test_night_runs_in_process_beside_services_it_cannot_use(tmp_path: Path, record: Record, line: str) -> None:
    """Another source's DAGs aren't there, and half of the services run no task; a line says why."""
    said: list[str] = []
    write_record(tmp_path, replace(record, services=(as_service("api-server", os.getpid()),)))
    assert services_that_run(settings_in(tmp_path), "simulated_shop", said.append) is None
    assert line in said[0]


def test_night_goes_through_services_that_work_on_the_same_places(tmp_path: Path) -> None:
    """The lake and the registry are the night's own."""
    services = tuple(as_service(name, os.getpid()) for name in ("supervisor", "api-server", "scheduler"))
    record = Record(services, source="simulated_shop", places=places_of(settings_in(tmp_path)))
    write_record(tmp_path, record)
    assert services_that_run(settings_in(tmp_path), "simulated_shop", pytest.fail) == record


def test_night_runs_in_process_without_services(tmp_path: Path) -> None:
    """Nothing needs to be said."""
    assert services_that_run(settings_in(tmp_path), "simulated_shop", pytest.fail) is None
