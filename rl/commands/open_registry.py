"""`open-registry`: the registry is there, whole, and has what the home knows of."""

from __future__ import annotations

from typing import Any

from conf.settings import Settings
from rl.registry.memory import known_models
from rl.registry.readiness import settle_model
from rl.registry.store import open_store


def run(*, settings: Settings) -> dict[str, Any]:
    """Make MLflow's database where there is none yet; return the registry's address and the models known there.

    Whoever else opens the database (the MLflow page) makes it in place, and a kill would leave it half made.
    """
    with open_store(settings) as client:
        for model in known_models(settings):
            settle_model(client, settings, model)
    return {
        "address": settings.shown_mlflow_uri,
        "models": {name: known.last_version for name, known in known_models(settings).items()},
    }
