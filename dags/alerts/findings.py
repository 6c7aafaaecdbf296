"""What sets alerts off: found from Airflow's context, and from what nights left in the home."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from conf.errors import NightcartError
from conf.paths import Run, source_runs
from conf.settings import Settings
from dags.alerts.alert import Alert
from dags.alerts.pace import Pace, disk_finding, keep_pace, read_paces, slow_finding
from dags.run_date import run_date

HELD_BACK = "make accept"
"""Stands in what a held-back delivery's error offers, and in no other's."""
NOTHING_CAME = ("no delivery for ", ": no such file or folder", ": no file that source ")
"""What an ingest's error says where there is nothing of the date."""


def failures(context: Mapping[str, Any]) -> list[Alert]:
    """Return the alert of a task that failed for good; a night's step named by what its failure means.

    Data that don't fit (exit code 65) are a delivery held back, where its error offers to accept it, none at all, or a
    check that failed; anything else is a failed task.
    """
    instance, run = context["ti"], context["dag_run"]
    error = context.get("exception")
    reason = str(error).strip() if error is not None else "it was stopped"
    name = _named(instance.task_id, reason) if isinstance(error, AirflowFailException) else "task_failed"
    candidate = getattr(instance.task, "candidate", None)
    task = f"{instance.dag_id} {candidate or instance.task_id}"
    number = getattr(instance, "try_number", 0)
    key = f"{name}/{instance.dag_id}/{run.run_id}/{candidate or instance.task_id}/{number}"
    return [Alert(name, f"{task}, {_date(run)}", reason or type(error).__name__, key)]


def _named(task_id: str, reason: str) -> str:
    """Return the name of the alert of a task that would fail again."""
    if task_id == "await_delivery":
        return "no_delivery"
    if task_id not in ("ingest", "build"):
        return "task_failed"
    if HELD_BACK in reason:
        return "delivery_held_back"
    return "no_delivery" if any(words in reason for words in NOTHING_CAME) else "failed_check"


def waiting_approval(context: Mapping[str, Any]) -> list[Alert]:
    """Return the alert of a version that a person is asked about, as the approval's task asks."""
    instance = context["ti"]
    found = instance.xcom_pull(task_ids="read_registration")
    request = found["request"]
    about = f"{found['model']} version {found['version']}"
    lines = [
        f"verdict: {found['verdict']}",
        f"gain: {request['gain']}",
        f"changes: {request['changes']}",
        f"page: {found['page_url'] or found['page']}",
        "answer under *Required actions* on Airflow's page, or: make review",
    ]
    return [Alert("approval_waiting", about, "\n".join(lines), f"approval_waiting/{about}/{instance.task_id}")]


def night_over(context: Mapping[str, Any]) -> list[Alert]:
    """Return the alerts of a night that came to its end: of its pace, of the disk, and of nights without a promotion.

    A callback's part of the task that registers; it keeps the night's pace too.
    """
    instance, run = context["ti"], context["dag_run"]
    settings = Settings.from_environment()
    source, scenario = instance.task.night
    day = date.fromisoformat(run_date(run))
    seconds = (datetime.now(tz=UTC) - run.start_date).total_seconds()
    now = Pace.measured(instance.dag_id, day, seconds, settings.lake)
    earlier = read_paces(settings.home, source, scenario, instance.dag_id)
    keep_pace(Run(settings.home, source, scenario, day), now)
    found = [
        slow_finding(now, earlier, settings.alerts.slower),
        disk_finding(now, earlier, settings.alerts.disk_nights),
        nothing_promotable(settings.home, source, scenario, day, settings.alerts.nights),
    ]
    return [one for one in found if one is not None]


def nothing_served(context: Mapping[str, Any]) -> list[Alert]:
    """Return an alert for each time in which nothing was served, as the night's look has it."""
    source, scenario = context["ti"].task.night
    night = Run(Settings.from_environment().home, source, scenario, date.fromisoformat(run_date(context["dag_run"])))
    if not night.monitor.exists():
        return []
    found = json.loads(night.monitor.read_text(encoding="utf-8"))["alerts"]
    return [
        Alert(
            "nothing_served",
            f"{scenario} on {source}, from {one['day']} on",
            one["sentence"],
            f"nothing_served/{source}/{scenario}/{one['day']}",
        )
        for one in found
        if one["kind"] == "nothing_served"
    ]


def nothing_learned(context: Mapping[str, Any]) -> list[Alert]:
    """Return the alert of nights without a promotion, for one that had nothing to learn and so registers nothing."""
    settings = Settings.from_environment()
    source, scenario = context["ti"].task.night
    day = date.fromisoformat(run_date(context["dag_run"]))
    found = nothing_promotable(settings.home, source, scenario, day, settings.alerts.nights)
    return [] if found is None else [found]


def nothing_promotable(home: Path, source: str, scenario: str, day: date, most: int) -> Alert | None:
    """Return the alert of so many nights up to a day, the latest in a row, of which none brought a promotable version.

    It is told again each time as many more have passed. A night that learned nothing counts; one that failed, and so
    left neither version nor reason, doesn't.
    """
    row: list[tuple[date, str]] = []
    for night in sorted(_nights(home, source, scenario), reverse=True):
        verdict = _verdict(Run(home, source, scenario, night))
        if night > day or verdict is None:
            continue
        if verdict[0] == "promote":
            break
        row.append((night, verdict[1]))
    if not row or len(row) % most:
        return None
    reason = f"{len(row)} nights in a row, from {row[-1][0]} on, ended without a version that passes the gate.\n"
    reason += f"the last one, {row[0][0]}: {row[0][1]}"
    return Alert("nothing_promotable", f"{scenario} on {source}", reason, f"nothing/{source}/{scenario}/{row[0][0]}")


def _nights(home: Path, source: str, scenario: str) -> list[date]:
    found = []
    for path in (source_runs(home, source) / scenario).glob("????-??-??"):
        try:
            found.append(date.fromisoformat(path.name))
        except ValueError:
            continue
    return found


def _verdict(run: Run) -> tuple[str, str] | None:
    """Return the night's verdict and why; None where it has none yet, or none that can be read."""
    try:
        if run.nothing_to_learn.exists():
            return "abstain", str(json.loads(run.nothing_to_learn.read_text(encoding="utf-8"))["skipped"])
        told = json.loads(run.registration.read_text(encoding="utf-8"))
        return str(told["verdict"]), "; ".join(map(str, told.get("reasons", ()))) or str(told["verdict"])
    except (OSError, ValueError, KeyError):
        return None


def _date(run: Any) -> str:
    try:
        return run_date(run)
    except NightcartError:
        return str(run.run_id)
