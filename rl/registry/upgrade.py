"""MLflow's database brought to the installed MLflow's schema, after a copy of it was made."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from conf.database_address import is_postgres, without_password
from conf.paths import registry_lock, services_record
from conf.postgres_dump import dump_postgres
from conf.publication import publishing
from conf.settings import Settings
from conf.sqlite_copy import copy_sqlite
from rl.errors import RegistryError
from rl.registry.schema import is_outdated, schema_of
from rl.registry.server import await_server


def upgrade_registry(settings: Settings) -> Path | None:
    """Bring MLflow's database to the installed MLflow's schema; return the copy of it as it was.

    SQLite is upgraded as a second copy that takes its place when whole, PostgreSQL in one transaction: killed midway,
    the database is as it was.

    Returns:
        None where nothing was to be done: the schema is the installed one, there is no database yet, or a server that
        isn't ours keeps it.

    Raises:
        RegistryChanged: the schema is none that the installed MLflow knows, so that it is a later one's.
        RegistryError: services are up, or the upgrade failed; the database is as it was.
        DatabaseCopyError: no copy can be made; nothing was changed.
    """
    path, address = settings.mlflow_database, settings.mlflow_uri
    if path is None and not is_postgres(address):
        return None
    if path is not None and not path.exists():
        return None
    with publishing(registry_lock(settings.home)):
        await_server(settings)
        try:
            schema = schema_of(address)
            if schema is None or not is_outdated(schema, address):
                return None
            _refuse_while_up(settings)
            copy = _copy_path(settings, schema)
            if path is None:
                dump_postgres(address, copy)
                _upgrade(address)
            else:
                copy_sqlite(path, copy)
                _upgrade_apart(path)
        except SQLAlchemyError as error:
            shown = without_password(address)
            reason = str(error).splitlines()[0].replace(address, shown)
            raise RegistryError(f"{shown}: MLflow's database can't be upgraded: {reason}") from error
    return copy


def _refuse_while_up(settings: Settings) -> None:
    """Raise if services were started and not stopped: MLflow's page would go on writing into the old file."""
    if services_record(settings.home).exists():
        raise RegistryError(f"{settings.home}: its services are up; stop them by `make down`, then run this again")


def _copy_path(settings: Settings, schema: str) -> Path:
    name = f"mlflow-before-upgrade-{schema}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    folder, kind = settings.home, ".dump"
    if settings.mlflow_database is not None:
        folder, kind = settings.mlflow_database.parent, ".db"
    return folder / f"{name}{kind}"


def _upgrade_apart(path: Path) -> None:
    """Upgrade a copy of the SQLite database, then put it in the database's place."""
    draft = path.with_name(f"{path.name}.draft-{os.getpid()}")  # swept by the next opening, if this is killed
    copy_sqlite(path, draft)
    try:
        _upgrade(f"sqlite:///{draft}")
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _upgrade(address: str) -> None:
    from mlflow.store.db.utils import _upgrade_db  # noqa: PLC0415  # takes a second to import

    engine = create_engine(address)
    try:
        _upgrade_db(engine)  # type: ignore[no-untyped-call]  # MLflow's
    finally:
        engine.dispose()
