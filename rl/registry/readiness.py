"""Whether the registry can take the night, asked before its work and not after it."""

from __future__ import annotations

import structlog
from mlflow import MlflowClient

from conf.settings import Settings
from rl.registry.database import check_pages
from rl.registry.looks import spent_looks_of
from rl.registry.memory import remember_looks, remember_model, require_model
from rl.registry.moved_aliases import moved_aliases
from rl.registry.store import experiment_id, open_store
from rl.registry.versions import all_versions


def check_registry(settings: Settings, scenario: str) -> None:
    """Raise if the registry is unreachable, takes no entries, or lacks what the home knows of.

    Raises:
        RegistryError: it doesn't answer, or another process has it.
        RegistryChanged: something in it was deleted or lost that a person has to settle first.
    """
    if (path := settings.mlflow_database) is not None and path.exists():
        check_pages(path)
    with open_store(settings) as client:
        experiment = experiment_id(client, settings, scenario)
        client.set_experiment_tag(experiment, "nightcart.scenario", scenario)  # is it writable?
        model = f"{scenario}-policy"
        for note in settle_model(client, settings, model):
            structlog.get_logger().warning("the registry has changed", note=note)
        for moved in moved_aliases(client, settings, model):
            structlog.get_logger().error("an alias was moved by hand", model=model, alias=moved.alias, told=str(moved))
        foreign = [found.version for found in all_versions(client, model) if not found.is_ours]
        if foreign:
            structlog.get_logger().warning("versions that no night registered are left out", versions=foreign)


def settle_model(client: MlflowClient, settings: Settings, model: str) -> tuple[str, ...]:
    """Return what was changed by hand; a home that knows nothing of the model yet learns what is there.

    Raises:
        RegistryChanged: the registry has less than the home knows.
    """
    notes = require_model(client, settings, model)
    remember_looks(settings, spent_looks_of(client, model))
    if not notes:
        remember_model(client, settings, model)
    return notes


def remember(client: MlflowClient, settings: Settings, model: str) -> None:
    """Write down what the registry has of the model and what its nights spent."""
    remember_looks(settings, spent_looks_of(client, model))
    remember_model(client, settings, model)
