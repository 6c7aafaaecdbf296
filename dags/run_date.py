"""The date a run works on: one answer for all DAGs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Protocol

from conf.errors import ConfError


class RunDateError(ConfError):
    """A run that doesn't say which date it works on."""


class DatedRun(Protocol):
    """What a DAG run tells about its date."""

    @property
    def partition_key(self) -> str | None: ...

    @property
    def conf(self) -> Mapping[str, Any] | None: ...


def run_date(dag_run: DatedRun) -> str:
    """Return the run's date as ISO text: its partition key, else the `date` of its configuration.

    Never the logical date: it says when a run was due, not which partition it makes, and asset runs have none.

    Raises:
        RunDateError: the run has neither, or it isn't a date.
    """
    given = dag_run.partition_key or (dag_run.conf or {}).get("date")
    if given is None:
        raise RunDateError(
            'this run has no date: trigger it with a partition key such as 2026-01-31, or with {"date": "2026-01-31"}'
        )
    return parse_date(str(given)).isoformat()


def day_after(day: str) -> str:
    """Return the day after a date, both as ISO text."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def parse_date(text: str) -> date:
    """Return the date written as 2026-01-31, and in no other way.

    Raises:
        RunDateError: anything else.
    """
    try:
        parsed = date.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.isoformat() != text:
        raise RunDateError(f"got {text!r} as date; expected a date like 2026-01-31")
    return parsed
