"""A night through the services of `make up`: the scheduler runs it, and this process follows it by Airflow's API."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from conf.settings import Settings
from dags.command_output import clear_message
from dags.deployment.airflow_api import AirflowApi, AirflowUnreachable
from dags.deployment.service_processes import SUPERVISOR, Record, places_of, read_record, running
from dags.nights.nightly_progress import NightlyProgress
from dags.nights.nightly_request import NightFailed

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_CHECKS = 10.0
_SECONDS_TO_BE_KNOWN = 120.0
_SECONDS_TO_COME_BACK = 180.0
_SECONDS_TO_BE_STARTED = 300.0
_ENDED = ("success", "failed")
_TOLD = ("running", "success", "skipped", "failed", "up_for_retry")
_WAITS_FOR_A_PERSON = "awaiting_input"
Answer = TypeVar("Answer")


def services_that_run(settings: Settings, source: str, say: Callable[[str], None]) -> Record | None:
    """Return the services the night goes through, or None to run it in process, with the reason where some run."""
    record = read_record(settings.home)
    names = {service.name for service in running(settings.home)}
    if not names:
        return None
    if record.source != source:
        say(f"services of this home run on source {record.source or '(unknown)'}, so this night runs in process")
        return None
    here = places_of(settings)
    if elsewhere := [f"{name}={place}" for name, place in record.places.items() if here.get(name) != place]:
        say(f"services of this home work with {', '.join(elsewhere)}, so this night runs in process")
        return None
    if record.given_up or not {"api-server", "scheduler"} <= names:
        why = "; ".join(f"{name} {how}" for name, how in record.given_up.items()) or "API or scheduler don't run"
        say(f"services of this home aren't whole ({why}), so this night runs in process; `make up` heals them")
        return None
    return record


class ServicesNight:
    """Follows one date of one scenario through its DAGs; a run of the date that is under way is followed, not repeated.

    Attributes:
        is_asked: a person is asked for approval on Airflow's page.
    """

    def __init__(
        self,
        home: Path,
        api: AirflowApi,
        scenario: str,
        progress: NightlyProgress,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._home = home
        self._api = api
        self._progress = progress
        self._pause = pause
        self._dags = ["ingest_events", *(f"{verb}_{scenario}" for verb in ("build", "train", "review"))]
        self._shown: dict[tuple[str, str, int], tuple[str, int]] = {}
        self._failure: tuple[str, str] | None = None
        self._waiting: set[str] = set()
        self._scheduler_seen = self._checked = time.monotonic()
        self.is_asked = False

    def run(self, date: str, logs: str | None) -> None:
        """Follow the night and return once it is over, or waits for a person.

        Raises:
            NightFailed: a task failed, or the services can't run the night.
        """
        self._wait_until_known()
        ingest, build, train, _ = self._dags
        first, run = self._under_way(date) or (ingest, self._trigger(ingest, date, {"logs": logs}))
        since = _queued(run)
        for dag_id in self._dags[self._dags.index(first) :]:
            if dag_id != first:
                run = self._started(dag_id, date, since)
            self._follow(dag_id, run)
            if dag_id == build and self._is_only_data(run) and not self._started_since(train, date, since):
                self._trigger(train, date, {})
            if self.is_asked:
                return

    def _wait_until_known(self) -> None:
        deadline = time.monotonic() + _SECONDS_TO_BE_KNOWN
        while missing := set(self._dags) - set(paused := self._patiently(self._api.paused)):
            if time.monotonic() > deadline:
                errors = self._patiently(self._api.import_errors)
                why = errors[0].strip().splitlines()[-1] if errors else "its files aren't read"
                raise NightFailed(f"Airflow doesn't know {', '.join(sorted(missing))}: {why}")
            self._pause(_SECONDS_BETWEEN_LOOKS)
        if stopped := [dag_id for dag_id in self._dags if paused[dag_id]]:
            raise NightFailed(f"{', '.join(stopped)} is paused; unpause it on Airflow's page, then run this again")

    def _under_way(self, date: str) -> tuple[str, dict[str, Any]] | None:
        """Return the run of the date that is farthest on its way, with its DAG; None without any."""
        for dag_id in reversed(self._dags):
            for run in self._patiently(lambda dag_id=dag_id: self._api.latest_runs(dag_id, date)):  # type: ignore[misc]
                if run["state"] not in _ENDED and not dag_id.startswith("review_"):
                    self._progress.say(f"{dag_id} is at work on {date} already: this follows it")
                    return dag_id, run
        return None

    def _trigger(self, dag_id: str, date: str, conf: dict[str, Any]) -> dict[str, Any]:
        run_id = self._api.trigger(dag_id, date, conf)
        return self._patiently(lambda: self._api.run(dag_id, run_id))

    def _started(self, dag_id: str, date: str, since: datetime) -> dict[str, Any]:
        """Return the run that the assets of the DAG before have started."""
        deadline = time.monotonic() + _SECONDS_TO_BE_STARTED
        while not (found := self._started_since(dag_id, date, since)):
            if time.monotonic() > deadline:
                raise NightFailed(f"{dag_id} wasn't started for {date}; its assets are on Airflow's page")
            self._pause(_SECONDS_BETWEEN_LOOKS)
        return found[0]

    def _started_since(self, dag_id: str, date: str, since: datetime) -> list[dict[str, Any]]:
        runs = self._patiently(lambda: self._api.latest_runs(dag_id, date))
        return [run for run in runs if _queued(run) >= since]

    def _is_only_data(self, build: dict[str, Any]) -> bool:
        """Return whether the services take the date for a past one, so that no training follows by itself."""
        tasks = self._patiently(lambda: self._api.tasks_of(build["dag_id"], build["dag_run_id"]))
        return any(task["task_id"] == "announce_tonight" and task["state"] == "skipped" for task in tasks)

    def _follow(self, dag_id: str, run: dict[str, Any]) -> None:
        """Show the run's tasks until it has ended, or waits for a person."""
        self._failure = None
        is_over = False
        while not is_over:
            state = self._patiently(lambda: self._api.run(dag_id, run["dag_run_id"]))["state"]
            is_over = state in _ENDED
            for task in self._patiently(lambda: self._api.tasks_of(dag_id, run["dag_run_id"])):
                self._show(task)
            if self.is_asked:
                return
            if not is_over:
                self._refuse_standstill(dag_id, is_queued=state == "queued")
                self._pause(_SECONDS_BETWEEN_LOOKS)
        if state == "failed":
            task_name, reason = self._failure or (dag_id, "ended as failed; Airflow's page tells why")
            raise NightFailed(f"{task_name}: {reason}")

    def _refuse_standstill(self, dag_id: str, *, is_queued: bool) -> None:
        """Raise if the run can't go on: its DAG is paused, or the scheduler stays away.

        A run that only waits for its turn says so.

        Raises:
            NightFailed: Airflow's API would answer the same for ever.
        """
        if time.monotonic() - self._checked < _SECONDS_BETWEEN_CHECKS:
            return
        self._checked = time.monotonic()
        if self._patiently(self._api.paused).get(dag_id):
            raise NightFailed(f"{dag_id} was paused; unpause it on Airflow's page: its run goes on from where it is")
        if is_queued and dag_id not in self._waiting:
            self._waiting.add(dag_id)
            self._progress.say(f"{dag_id} waits for its turn: runs of other dates are at work")
        names = {service.name for service in running(self._home)}
        if "scheduler" in names:
            self._scheduler_seen = time.monotonic()
        elif SUPERVISOR not in names or time.monotonic() - self._scheduler_seen > _SECONDS_TO_COME_BACK:
            raise NightFailed("the scheduler has gone, and nobody starts it again; `make up` goes on from here")

    def _show(self, task: dict[str, Any]) -> None:
        """Say what is new about a task."""
        key = (task["dag_run_id"], task["task_id"], task["map_index"])
        state = (task["state"], task["try_number"])
        self.is_asked = self.is_asked or task["state"] == _WAITS_FOR_A_PERSON
        has_run = task["state"] in _TOLD and task["try_number"] > 0  # one skipped with those before it never ran
        is_named = task["map_index"] < 0 or _is_named(task) or task["state"] != "running"
        if not has_run or not is_named or state == self._shown.get(key):
            return
        self._shown[key] = state
        name = task["task_id"] if task["map_index"] < 0 else f"{task['task_id']} {_candidate(task)}"
        if name not in self._progress.running:
            self._progress.begin(name)
        if task["state"] == "success":
            self._progress.finish(name)
        elif task["state"] == "skipped":
            self._progress.finish(name, "skipped")
        elif task["state"] != "running":
            self._show_failure(name, task)

    def _show_failure(self, name: str, task: dict[str, Any]) -> None:
        reason = self._reason(task)
        is_last = task["state"] == "failed"
        self._progress.finish(name, "FAILED" if is_last else "failed, will be tried again")
        self._progress.say(f"{name}: {reason}")
        if is_last:
            self._failure = (name, reason)

    def _reason(self, task: dict[str, Any]) -> str:
        """Return what the task's log ended with, in the words of its error."""
        lines: list[dict[str, Any]] = []
        with suppress(AirflowUnreachable):
            lines = self._api.log(task, task["try_number"])
        for line in reversed(lines):
            if details := line.get("error_detail"):
                return str(details[0].get("exc_value") or details[0].get("exc_type"))
        return clear_message([str(line.get("event", "")) for line in lines])

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Return the API's answer; wait for it where a service is being started again.

        Raises:
            NightFailed: there is none for three minutes, or a service was given up.
        """
        deadline = time.monotonic() + _SECONDS_TO_COME_BACK
        is_told = False
        while True:
            if given_up := read_record(self._home).given_up:
                whys = "; ".join(f"{name} {why}" for name, why in given_up.items())
                raise NightFailed(
                    f"the services can't go on: {whys}; `make up` starts all again, and goes on from here"
                )
            try:
                return ask()
            except AirflowUnreachable as error:
                if time.monotonic() > deadline or not running(self._home):
                    raise NightFailed(f"the services don't answer: {error}; `make up` goes on from here") from error
                if not is_told:
                    self._progress.say(f"Airflow doesn't answer; waiting ({error})")
                    is_told = True
                self._pause(_SECONDS_BETWEEN_LOOKS)


def _is_named(task: dict[str, Any]) -> bool:
    """Return whether a mapped task has its name yet; before, Airflow shows its number."""
    return str(task["rendered_map_index"] or task["map_index"]) != str(task["map_index"])


def _candidate(task: dict[str, Any]) -> str:
    return str(task["rendered_map_index"] or task["map_index"])


def _queued(run: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(run["queued_at"] or run["run_after"])
