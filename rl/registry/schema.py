"""Which of MLflow's schemas a database has: asked before MLflow opens it, which changes an earlier one in place."""

from __future__ import annotations

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from conf.database_address import without_password
from rl.errors import RegistryChanged


def schema_of(address: str) -> str | None:
    """Return MLflow's number of the database's schema; None where MLflow made no tables yet."""
    engine = create_engine(address)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def is_outdated(schema: str, address: str) -> bool:
    """Return whether the installed MLflow's schema is a later one.

    Raises:
        RegistryChanged: the installed MLflow doesn't know the schema, so that it is a later MLflow's.
    """
    from mlflow.store.db.utils import _get_alembic_config  # noqa: PLC0415  # takes a second to import

    scripts = ScriptDirectory.from_config(_get_alembic_config(""))  # type: ignore[no-untyped-call]  # MLflow's
    newest = scripts.get_current_head()
    if schema not in {one.revision for one in scripts.walk_revisions()}:
        raise RegistryChanged(
            f"{without_password(address)}: MLflow's database has schema {schema}, which this release's MLflow doesn't "
            f"know (its newest is {newest}): a later one made it; run the release that did, or put a backup of the "
            "database in its place"
        )
    return schema != newest


def ready_postgres(address: str, artifacts: str | None) -> None:
    """Make MLflow's tables in a database that has none; raise if it is an earlier MLflow's.

    MLflow would upgrade that one without a word where a table is missing, and nobody would have a copy. Call it under
    the store's lock.

    Args:
        address: of the database.
        artifacts: URI where files go of the experiment Default, which this project leaves be; MLflow's own choice is
            the folder that the command happens to run in.

    Raises:
        RegistryChanged: it is an earlier one's, or a later one's.
    """
    schema = schema_of(address)
    if schema is None:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415  # takes a second to import

        SqlAlchemyStore(address, artifacts).engine.dispose()  # type: ignore[no-untyped-call]  # MLflow's
    elif is_outdated(schema, address):
        raise RegistryChanged(
            f"MLflow at {without_password(address)}: its database has schema {schema}, an earlier MLflow's; run "
            "`make migrate`, which copies it first"
        )
