"""`upgrade-registry`: MLflow's database gets the installed MLflow's schema, after a copy of it was made."""

from __future__ import annotations

from typing import Any

from conf.settings import Settings
from rl.registry.upgrade import upgrade_registry


def run(*, settings: Settings) -> dict[str, Any]:
    """Upgrade the database where it is an earlier MLflow's; return its address, and the copy of it as it was."""
    copy = upgrade_registry(settings)
    done = "nothing to upgrade: MLflow's database is as this release writes it" if copy is None else "upgraded"
    return {"address": settings.shown_mlflow_uri, "copy": None if copy is None else str(copy), "done": done}
