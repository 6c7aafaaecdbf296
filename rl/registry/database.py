"""MLflow's SQLite database: made in a draft that is moved into place when whole, and looked at before MLflow opens it.

MLflow makes it by dozens of migrations, each of them written at once: killed in between, it leaves a file that no
later start can use.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import structlog

from rl.errors import RegistryChanged, RegistryError

SECONDS_TO_WAIT = 20.0
_SECONDS_OF_SILENCE = 2.0
_COMPANIONS = ("-journal", "-wal", "-shm")
_HELD = ("runs", "model_versions", "registered_models")


@dataclass(frozen=True)
class _Found:
    """What a database file holds.

    Attributes:
        schema: MLflow's number of the schema; None where it has none.
        n_held: runs, versions and models in it.
        is_empty: there is no table at all.
    """

    schema: str | None
    n_held: int
    is_empty: bool


def ready_database(path: Path) -> None:
    """Make the database where there is none, and replace a half-made one that holds nothing, which is kept aside.

    Call it under the store's lock.

    Raises:
        RegistryError: the file is locked.
        RegistryChanged: it is damaged, can't be written to, or holds runs under another schema.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_drafts(path)
    if path.exists():
        found, schema = _look(path), _newest_schema()
        if found.schema == schema:
            return
        if found.n_held:
            raise RegistryChanged(
                f"{path}: MLflow's database has schema {found.schema}, expected {schema}: it was made by another "
                f"MLflow, or brought up to date only half-way, and it holds {found.n_held} runs and versions, so it is "
                "left as it is; run `make migrate`, which copies it first"
            )
        _put_aside(path, is_empty=found.is_empty)
    make_database(path)


def has_database(path: Path) -> bool:
    """Return whether there is a database with tables in it.

    Raises:
        RegistryError: the file is locked or damaged.
    """
    return path.exists() and not _look(path).is_empty


def make_database(path: Path) -> None:
    """Make MLflow's database as a draft, then move it into place unless another process was first.

    Raises:
        RegistryError: SQLite hasn't closed the draft.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415  # takes a second to import

    draft = path.with_name(f"{path.name}.draft-{os.getpid()}")
    _remove(draft)
    artifacts = (path.parent / "mlartifacts").as_uri()  # of the experiment Default alone, which this project leaves be
    SqlAlchemyStore(f"sqlite:///{draft}", artifacts).engine.dispose()  # type: ignore[no-untyped-call]  # MLflow's
    if left := [str(draft) + ending for ending in _COMPANIONS if Path(str(draft) + ending).exists()]:
        raise RegistryError(f"{path}: MLflow's new database isn't closed ({', '.join(left)}); run this again")
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(draft, path)
    _remove(draft)


def check_pages(path: Path) -> None:
    """Raise if the file is damaged: all of it is read once, before a night's work and not after it.

    Raises:
        RegistryError: it is locked or damaged.
    """
    with _opened(path) as database:
        (problem,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        raise RegistryChanged(damaged(path, problem))


def explain(path: Path, reason: str) -> RegistryError | None:
    """Return the error that says what SQLite's reason means and what to do; None for an unknown reason."""
    if "locked" in reason:
        return RegistryError(
            f"{path}: MLflow's database is locked{_by_whom(path)}; wait for it or end it, then run this again"
        )
    if "malformed" in reason or "not a database" in reason:
        return RegistryChanged(damaged(path, reason))
    if "readonly" in reason or "unable to open" in reason:
        return RegistryChanged(
            f"{path}: MLflow's database can't be written to ({reason}); give this user access to "
            "the file and its folder"
        )
    if "disk is full" in reason:
        return RegistryError(f"{path}: the disk is full; free some space and run this again")
    return None


def damaged(path: Path, reason: str) -> str:
    """Return the message that says what to do about a damaged database."""
    return (
        f"{path}: MLflow's database is damaged ({reason}); put a backup of it in its place, or save what can be read: "
        f"`sqlite3 {path} .recover | sqlite3 {path}.recovered`, and put that in its place"
    )


def _look(path: Path) -> _Found:
    with _opened(path) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        schemas = (
            database.execute("SELECT version_num FROM alembic_version").fetchall()
            if "alembic_version" in tables
            else []
        )
        n_held = sum(database.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in _HELD if name in tables)
    is_between = any(name.startswith("_alembic_tmp_") for name in tables)
    return _Found(schemas[0][0] if len(schemas) == 1 and not is_between else None, n_held, not tables)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for this process alone and yield it, writable; wait a while where another has it."""
    try:
        database = _begun(path, _SECONDS_OF_SILENCE)
        if database is None:
            structlog.get_logger().info("waiting for MLflow's database", path=str(path), seconds=SECONDS_TO_WAIT)
            database = _begun(path, SECONDS_TO_WAIT)
        if database is None:
            raise sqlite3.OperationalError("database is locked")
        try:
            yield database
        finally:
            database.rollback()
            database.close()
    except sqlite3.Error as error:
        raise explain(path, str(error)) or RegistryError(f"{path}: MLflow's database: {error}") from error


def _begun(path: Path, seconds: float) -> sqlite3.Connection | None:
    """Return a connection that may write; None where another process held the database all the time."""
    database = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=seconds, isolation_level=None)
    try:
        database.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        database.close()
        if "locked" in str(error):
            return None
        raise
    except sqlite3.Error:
        database.close()
        raise
    return database


def _newest_schema() -> str:
    from mlflow.store.db.utils import _get_latest_schema_revision  # noqa: PLC0415  # takes a second to import

    return str(_get_latest_schema_revision())  # type: ignore[no-untyped-call]  # MLflow's


def _put_aside(path: Path, *, is_empty: bool) -> None:
    """Rename the half-made file, with its journal; remove it where it has no table."""
    aside = path.with_name(f"{path.name}.half-made-{datetime.now().astimezone():%Y-%m-%dT%H-%M-%S}")
    for ending in (*_COMPANIONS, ""):
        part = Path(str(path) + ending)
        if is_empty:
            part.unlink(missing_ok=True)
        elif part.exists():
            part.rename(str(aside) + ending)
    if not is_empty:
        structlog.get_logger().warning(
            "MLflow's database was half made and held nothing; it is made anew", kept_aside=str(aside)
        )


def _sweep_drafts(path: Path) -> None:
    """Remove drafts of processes that are gone, and journals of a database that is gone."""
    for draft in path.parent.glob(f"{path.name}.draft-*"):
        pid = draft.name.rpartition("-")[2]
        if pid.isdecimal() and not _is_alive(int(pid)):
            _remove(draft)
    if not path.exists():
        _remove(path)


def _remove(database: Path) -> None:
    for ending in (*_COMPANIONS, ""):
        Path(str(database) + ending).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _by_whom(path: Path) -> str:
    """Return in words which other processes have the file open, as far as this user may see."""
    found = []
    for descriptors in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):
            if descriptors.parent.name != str(os.getpid()) and any(
                one.readlink() == path for one in descriptors.iterdir()
            ):
                command = (descriptors.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append(f"process {descriptors.parent.name} ({command.strip()[:80]})")
    return f" by {', '.join(sorted(found))}" if found else ""
