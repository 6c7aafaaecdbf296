"""Access to MLflow's tracking store and registry, one writer of this home at a time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

# Before MLflow is imported: it would send usage figures over the network, and wait four minutes for a server that is
# down. Whether one is there at all is asked before (`server.await_server`); what is given stays.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from conf.database_address import is_postgres
from conf.paths import registry_lock
from conf.publication import publishing
from conf.settings import Settings
from rl.errors import RegistryChanged, RegistryError
from rl.registry.database import explain, ready_database
from rl.registry.memory import require_database
from rl.registry.schema import ready_postgres
from rl.registry.server import await_server

CHAMPION, PREVIOUS, CHALLENGER, OFF = "champion", "previous", "challenger", "off"
ON_TRIAL = "on_trial"
"""Alias of the version that a second look is declared at; what holds is the home's record (`trials.py`)."""


@contextmanager
def open_store(settings: Settings) -> Iterator[MlflowClient]:
    """Yield a client while no other process of this home uses the store; the lock falls with the process.

    The lock also covers the making of a new SQLite store, which MLflow can't do twice at once.

    Raises:
        RegistryError: MLflow can't be reached, or says no.
        RegistryChanged: the database is damaged, half made with runs in it, or gone though the home knows of it.
    """
    if settings.log_level != "debug":  # it logs a traceback for each error that it also raises
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    with publishing(registry_lock(settings.home)):
        try:
            _ready(settings)
            yield MlflowClient(tracking_uri=settings.mlflow_uri, registry_uri=settings.mlflow_uri)
        except (MlflowException, SQLAlchemyError) as error:
            raise _explained(settings, str(getattr(error, "message", error))) from error


def experiment_id(client: MlflowClient, settings: Settings, scenario: str) -> str:
    """Return the id of the scenario's experiment, made where it is missing.

    Raises:
        RegistryChanged: it was deleted in MLflow.
    """
    name = f"nightcart/{scenario}"
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage != "active":
            raise RegistryChanged(
                f"experiment {name} was deleted in MLflow at {settings.shown_mlflow_uri}; restore it: "
                f"`MLFLOW_TRACKING_URI={settings.shown_mlflow_uri} .venv/bin/python -m mlflow experiments restore "
                f"--experiment-id {found.experiment_id}`"
            )
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=settings.artifacts_uri))


def aliases(client: MlflowClient, model: str) -> dict[str, int]:
    """Return the version of each alias of the model; empty where the model isn't registered."""
    registered = client.search_registered_models(filter_string=f"name = '{model}'")
    return {alias: int(version) for found in registered for alias, version in found.aliases.items()}


def _ready(settings: Settings) -> None:
    path = settings.mlflow_database
    if path is None:
        await_server(settings)
        if is_postgres(settings.mlflow_uri):
            ready_postgres(settings.mlflow_uri, settings.artifacts_uri)
        return
    require_database(settings, path)
    ready_database(path)


def _explained(settings: Settings, message: str) -> RegistryError:
    """Return the error that says in one line, without a password, what MLflow or its database said."""
    path, reason = settings.mlflow_database, next((line for line in message.splitlines() if line.strip()), message)
    known = None if path is None else explain(path, reason)
    shown = settings.shown_mlflow_uri
    return known or RegistryError(f"MLflow at {shown}: {reason.replace(settings.mlflow_uri, shown)}")
