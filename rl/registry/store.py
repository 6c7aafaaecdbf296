"""Access to MLflow's tracking store and registry, one writer of this home at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Before MLflow is imported: it would send usage figures over the network.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from conf.paths import model_artifacts, registry_lock
from conf.publication import publishing
from conf.settings import Settings
from rl.errors import RegistryError

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"


@contextmanager
def open_store(settings: Settings) -> Iterator[MlflowClient]:
    """A client, while no other process of this home uses the store; the lock falls with the process.

    The lock also covers the making of a new SQLite store, which MLflow can't do twice at once.

    Raises:
        RegistryError: MLflow can't be reached, or says no.
    """
    with publishing(registry_lock(settings.home)):
        try:
            yield MlflowClient(tracking_uri=settings.mlflow_uri, registry_uri=settings.mlflow_uri)
        except MlflowException as error:
            raise RegistryError(f"MLflow at {settings.mlflow_uri}: {error.message}") from error


def experiment_id(client: MlflowClient, settings: Settings, scenario: str) -> str:
    """Id of the scenario's experiment, made where it is missing."""
    name = f"nightcart/{scenario}"
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    is_local = settings.mlflow_uri.startswith("sqlite:")
    location = model_artifacts(settings.home).as_uri() if is_local else None  # a server has its own place
    return str(client.create_experiment(name, artifact_location=location))


def aliases(client: MlflowClient, model: str) -> dict[str, int]:
    """Version of each alias of the model; empty where the model isn't registered."""
    registered = client.search_registered_models(filter_string=f"name = '{model}'")
    return {alias: int(version) for found in registered for alias, version in found.aliases.items()}
