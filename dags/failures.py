"""Failures as a person meets them: which task, of which night, and that task's own reason, in one line.

Airflow calls `tell_task` after its own traceback, so that the reason is the last line of the task's log; each line is
also kept in the home, from where `tell_run` takes it when the whole run has failed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from conf.errors import NightcartError
from conf.paths import Run, failures_log
from conf.publication import write_atomically
from conf.settings import Settings
from dags.run_date import run_date

_log = logging.getLogger(__name__)


def tell_task(context: Mapping[str, Any]) -> None:
    """Log why the task failed, as the last line of its log, and keep the line; keep a candidate's beside it too.

    A callback for `on_failure_callback` and `on_retry_callback`.
    """
    instance, run = context["ti"], context["dag_run"]
    candidate = getattr(instance.task, "candidate", None)
    reason = _reason(context.get("exception"))
    day = _date(run)
    task = f"{instance.task_id} {candidate}" if candidate else instance.task_id
    line = f"{instance.dag_id} {day}: {task} failed: {reason}"
    settings = Settings.from_environment()
    _keep(failures_log(settings.home), dag=instance.dag_id, run=run.run_id, date=day, task=task, reason=reason)
    if candidate and (night := getattr(instance.task, "night", None)):
        source, scenario = night
        folder = Run(settings.home, source, scenario, date.fromisoformat(day)).candidate(candidate)
        write_atomically(folder / "failure.json", json.dumps({"reason": reason}))
    _log.error("%s", line)


def tell_run(context: Mapping[str, Any]) -> None:
    """Log which tasks of the run failed and why, in one line; a callback for a DAG's `on_failure_callback`."""
    run = context["dag_run"]
    failed = failures_of(failures_log(Settings.from_environment().home), run.dag_id, run.run_id)
    told = "; ".join(f"{task}: {reason}" for task, reason in failed.items()) or "no task said why (was it stopped?)"
    _log.error("%s %s failed: %s", run.dag_id, _date(run), told)


def failures_of(log: Path, dag: str, run: str) -> dict[str, str]:
    """Return the last reason of each task that failed in the run, in the order of their first failure."""
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found = [json.loads(line) for line in lines]
    return {one["task"]: one["reason"] for one in found if (one["dag"], one["run"]) == (dag, run)}


def _keep(log: Path, **line: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    told = datetime.now(tz=UTC).isoformat(timespec="seconds")
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": told, **line}) + "\n")


def _reason(error: object) -> str:
    text = str(error).strip() if error is not None else ""
    return text or (type(error).__name__ if error is not None else "it was stopped")


def _date(run: Any) -> str:
    """Return the date that the run works on; where it names none, its id, since that is what failed."""
    try:
        return run_date(run)
    except NightcartError:
        return str(run.run_id)
