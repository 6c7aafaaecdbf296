"""The task that waits until the day's delivery is whole, and tells when it isn't by its deadline."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException

from conf.paths import Lake
from conf.settings import Settings
from conf.specs.source import Source, load_source
from conf.whole_deliveries import is_settled, what_is_missing
from dags.alerts.alert import Alert
from dags.alerts.telling import tell
from dags.delivered_logs import delivered_logs
from dags.run_date import run_date

SECONDS_BETWEEN_LOOKS = 300.0


def _now() -> datetime:
    return datetime.now(tz=UTC)


class DeliverySensor(BaseSensorOperator):
    """Waits for a delivery as its source's `arrival` declares; between looks it holds no worker.

    At the declared time it sets off the alert `no_delivery` and waits on; once the delivery isn't waited for any more
    it fails, so that no run trains on a part of a day. A person who waits for `make nightly` isn't kept: it fails at
    once.
    """

    def __init__(self, *, source: str, now: Callable[[], datetime] = _now, **kwargs: Any) -> None:
        super().__init__(mode="reschedule", poke_interval=SECONDS_BETWEEN_LOOKS, timeout=8 * 24 * 3600.0, **kwargs)
        self.source = source
        self.now = now

    def poke(self, context: Any) -> bool:
        """Return whether the delivery is whole, or was landed before.

        Raises:
            AirflowFailException: it isn't whole, and isn't waited for any more.
        """
        settings, source = Settings.from_environment(), load_source(self.source)
        day = date.fromisoformat(run_date(context["dag_run"]))
        missing = _missing(settings, source, day, context["dag_run"])
        if not missing or source.arrival is None:
            self.log.info("the delivery of %s is whole", day)
            return True
        told = f"the delivery of {day} isn't whole: {'; '.join(missing)}"
        deadline, end = source.arrival.deadline(day, source.zone), source.arrival.given_up(day, source.zone)
        self.log.info("%s; an alert tells at %s, and %s is the end of waiting", told, deadline, end)
        now = self.now()
        if now >= deadline:
            tell(Alert("no_delivery", f"{source.name} {day}", told, f"no_delivery/{source.name}/{day}"))
        if now >= end or settings.night is not None:
            raise AirflowFailException(
                f"{told}; deliver the rest and clear this task, or go on without that day: "
                f"make accept SOURCE={source.name} DELIVERY={day} REASON=<why> LOGS=<where the logs are>"
            )
        return False


def _missing(settings: Settings, source: Source, day: date, dag_run: Any) -> list[str]:
    """Return what the day's delivery lacks; nothing where it was landed or left out, or is landed by other means."""
    lake, logs = Lake(settings.lake, source.name), delivered_logs(settings, dag_run)
    if logs is None or is_settled(lake, day):
        return []
    if not logs.exists():
        return [f"{logs}: no such file or folder"]
    return what_is_missing(source, lake, logs, day)
