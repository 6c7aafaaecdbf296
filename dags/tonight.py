"""Which partition is tonight's: the only one that training follows by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk.exceptions import AirflowSkipException

from conf.paths import simulated_shop
from conf.settings import Settings
from conf.specs.source import load_source
from dags.run_date import run_date


def tonights_date(settings: Settings) -> str:
    """Return the date that counts as tonight's: as set, else yesterday in the source's zone.

    The days of a simulated shop aren't today's: there it is the last one that it delivered.
    """
    if settings.tonight is not None:
        return settings.tonight.isoformat()
    source = load_source(settings.source)
    if source.is_simulated and settings.logs is None and (last := last_simulated_day(settings)) is not None:
        return last
    now = datetime.now(tz=ZoneInfo(source.zone))
    return (now.date() - timedelta(days=1)).isoformat()


def last_simulated_day(settings: Settings) -> str | None:
    """Return the last day that the source's simulated shop delivered; None where it delivered none."""
    logs = simulated_shop(settings.home, settings.source) / "logs"
    days = sorted(path.name for path in logs.glob("????-??-??") if path.is_dir()) if logs.is_dir() else []
    return days[-1] if days else None


def skip_unless_tonight(
    dag_run: Any, asked: str = "train", why: str = "data only, no training", purpose: str = "train on it"
) -> str:
    """Return the run's date; skip the task unless it is tonight's or the run's configuration asks for it.

    Args:
        dag_run: Airflow's.
        asked: key of the configuration that asks for another date when it is true.
        why: what is said of another date.
        purpose: what somebody who asks for it wants.

    Raises:
        AirflowSkipException: a backfilled date, which nobody asked for.
    """
    made = run_date(dag_run)
    tonight = tonights_date(Settings.from_environment())
    if made != tonight and not (dag_run.conf or {}).get(asked):
        raise AirflowSkipException(
            f'{made} is not tonight\'s date ({tonight}): {why}; to {purpose}, trigger the run with {{"{asked}": true}}'
        )
    return made
