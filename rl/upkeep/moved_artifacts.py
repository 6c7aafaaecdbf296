"""MLflow's entries of a home that lies elsewhere now: they name their files where these lie."""

from __future__ import annotations

from sqlalchemy import MetaData, create_engine, func, inspect, update
from sqlalchemy.engine import Connection

_PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "model_versions": ("source", "storage_location"),
    "logged_models": ("artifact_location",),
}


def move_artifacts(address: str, before: str, after: str) -> int:
    """Put another folder into every entry that names a file below it; return how many were changed.

    Args:
        address: of MLflow's database.
        before: URI of the folder where the files lay.
        after: URI of the folder where they lie.
    """
    engine = create_engine(address)
    try:
        with engine.begin() as connection:
            return sum(
                _moved(connection, table, column, before, after) for table, names in _PLACES.items() for column in names
            )
    finally:
        engine.dispose()


def _moved(connection: Connection, table: str, column: str, before: str, after: str) -> int:
    found = MetaData()
    if table not in inspect(connection).get_table_names():
        return 0  # of a later MLflow
    found.reflect(connection, only=[table])
    here = found.tables[table].columns[column]
    is_below = func.substr(here, 1, len(before)) == before
    changed = update(found.tables[table]).where(is_below)
    moved = changed.values({column: after + func.substr(here, len(before) + 1)})
    return connection.execute(moved).rowcount
