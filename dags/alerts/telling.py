"""Alerts are told: in the log, the ways that are set, and once each; what was told stays in the home."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier

from conf.paths import sent_alerts
from conf.settings import Settings
from dags.alerts.alert import Alert
from dags.alerts.ways import SENT, send

_log = logging.getLogger(__name__)


class AlertNotifier(BaseNotifier):
    """Airflow's notifier for an alert that is found from a task's or a run's context.

    `find` returns the alerts that the context sets off. Whatever goes wrong with them is logged, and fails nothing.
    """

    def __init__(self, find: Callable[[Mapping[str, Any]], list[Alert]]) -> None:
        super().__init__()
        self.find = find

    def notify(self, context: Mapping[str, Any]) -> None:
        """Tell the alerts that the context sets off."""
        try:
            found = self.find(context)
        except Exception:  # an alert never fails what it tells of
            _log.exception("whether there is something to tell could not be found out")
            return
        for alert in found:
            tell(alert)


def tell(alert: Alert) -> None:
    """Log the alert and send it, unless one of its key was sent before; what can't be sent is said in the log.

    An alert that failed on some way is sent again, on that way alone, when it is told again.
    """
    try:
        settings = Settings.from_environment()
        known = _told(sent_alerts(settings.home)).get(alert.key)
        ways = {way: how for way, how in (known or {}).items() if how == SENT}
        if known is not None and len(ways) == len(known):
            return
        _log.warning("alert %s: %s", alert.name, alert.text)
        ways |= {way: how for way, how in _sent(alert, settings, ways).items() if way not in ways}
        _keep(sent_alerts(settings.home), alert, ways)
    except Exception:  # an alert never fails what it tells of
        _log.exception("alert %s (%s) could not be told", alert.name, alert.about)


def _sent(alert: Alert, settings: Settings, done: Mapping[str, str]) -> dict[str, str]:
    wanted = settings.alerts
    found = send(
        alert,
        type(wanted)(
            webhook=None if "webhook" in done else wanted.webhook,
            emails=() if "email" in done else wanted.emails,
            smtp=wanted.smtp,
            sender=wanted.sender,
        ),
    )
    for way, how in found.items():
        if how != SENT:
            _log.error("alert %s could not be sent by %s: %s", alert.name, way, how)
    return found


def _told(path: Path) -> dict[str, dict[str, str]]:
    """Return by key how alerts were sent last; lines that a killed process left half are passed over."""
    found: dict[str, dict[str, str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            one = json.loads(line)
            found[one["key"]] = one["ways"]
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _keep(path: Path, alert: Alert, ways: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "time": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "alert": alert.name,
        "key": alert.key,
        "about": alert.about,
        "ways": dict(ways),
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")
