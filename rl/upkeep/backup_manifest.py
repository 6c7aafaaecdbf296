"""What a backup holds: written last, so that a folder with it is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from conf.database_address import is_postgres
from conf.publication import FileSum
from conf.settings import Settings
from conf.specs.strict_yaml import StrictModel
from rl.errors import BackupError

MANIFEST = "backup.json"

Kind = Literal["sqlite", "postgresql"]


class Database(StrictModel):
    """A database's copy: its kind, and its file in the backup."""

    kind: Kind
    file: str


class BackupManifest(StrictModel):
    """What a backup holds.

    Attributes:
        version: of this form.
        made_at: ISO time with zone.
        home: where the home lay; MLflow's entries name files below it.
        artifacts: where MLflow's files lay, as a URI; null where a server keeps them.
        key_id: of the pseudonym key.
        has_key: whether the key is in it; not where NIGHTCART_PSEUDONYM_KEY gave it.
        databases: `mlflow` and `airflow`, where they are there and ours.
        files: size and SHA-256 of every file, by its path in the backup.
        links: further names of a file, by their paths, with the path that holds the bytes.
        left_out: what isn't in it and has to be kept in another way.
    """

    version: Literal[1] = 1
    made_at: str
    home: str
    artifacts: str | None
    key_id: str
    has_key: bool
    databases: dict[str, Database]
    files: dict[str, FileSum]
    links: dict[str, str]
    left_out: tuple[str, ...] = Field(default=())


def read_manifest(backup: Path) -> BackupManifest:
    """Return the manifest of a backup.

    Raises:
        BackupError: there is none, since the folder is no backup or a killed one's, or it can't be read.
    """
    path = backup / MANIFEST
    try:
        return BackupManifest.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BackupError(f"{backup}: no {MANIFEST} in it, so it is no whole backup; name another") from error
    except ValidationError as error:
        reason = error.errors()[0]
        where = ".".join(map(str, reason["loc"]))
        raise BackupError(f"{path}: can't be read ({where}: {reason['msg']}); name another backup") from error


def kind_of(name: str, settings: Settings) -> Kind | None:
    """Return of which kind the home's database is that has this name; None where a server keeps it that isn't ours."""
    if name == "airflow":
        return "postgresql" if settings.airflow_database else "sqlite"
    if settings.mlflow_database is not None:
        return "sqlite"
    return "postgresql" if is_postgres(settings.mlflow_uri) else None


def address_of(name: str, settings: Settings) -> str:
    """Return the address of one of the home's databases on PostgreSQL."""
    return settings.airflow_database or "" if name == "airflow" else settings.mlflow_uri


def sqlite_file(name: str, settings: Settings) -> Path:
    """Return the file of one of the home's databases in SQLite."""
    own = settings.mlflow_database
    return settings.airflow_file if name == "airflow" or own is None else own
