"""What holds for every task: who answers for it, and how it is tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param

from dags.alerts.findings import failures
from dags.alerts.telling import AlertNotifier
from dags.failures import tell_task


def task_defaults(owner: str) -> dict[str, Any]:
    """Return what every task shares: its owner, two more tries from a minute after the first, who hears of failures."""
    return {
        "owner": owner,
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=15),
        "on_failure_callback": [tell_task, AlertNotifier(failures)],
        "on_retry_callback": tell_task,
    }


def date_parameter() -> Param:
    """Return the parameter for the date in a run's configuration; a partition key makes it needless."""
    return Param(None, type=["null", "string"], format="date", description="date, for a run without partition key")
