"""Where a source's logs are delivered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conf.paths import simulated_shop
from conf.settings import Settings
from conf.specs.source import load_source


def delivered_logs(settings: Settings, dag_run: Any = None) -> Path | None:
    """Return the file or folder to land deliveries from; None where deliveries are landed by other means.

    The run's `logs` come first, then the settings', then those that a simulated shop wrote.
    """
    if dag_run is not None and (dag_run.conf or {}).get("logs"):
        return Path(dag_run.conf["logs"])
    if settings.logs is not None:
        return settings.logs
    folder = simulated_shop(settings.home, settings.source) / "logs"
    return folder if load_source(settings.source).is_simulated and folder.is_dir() else None
