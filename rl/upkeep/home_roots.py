"""The folders that a home is made of, and which of their files a backup takes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from conf.paths import model_artifacts, registry_lock, services_record
from conf.settings import Settings
from conf.sqlite_copy import COMPANIONS
from rl.upkeep.backup_manifest import sqlite_file

_LOCKS = ("_locks", "_lock", "_lineage_lock", "_staging")
_DRAFT = re.compile(r"\..+\.\d+")


def roots(settings: Settings) -> dict[str, Path]:
    """Return the folders by name: `home`, `lake` and `artifacts`, wherever each lies; no `artifacts` elsewhere."""
    found = {"home": settings.home, "lake": settings.lake, "artifacts": model_artifacts(settings.home)}
    if settings.artifacts_uri is None:
        return found
    place = urlsplit(settings.artifacts_uri)
    if place.scheme != "file":
        return {"home": settings.home, "lake": settings.lake}
    return found | {"artifacts": Path(unquote(place.path))}


def holds_files(folder: Path) -> bool:
    """Return whether anything with content lies below the folder; locks are empty."""
    return any(path.is_symlink() or path.stat().st_size > 0 for path in _walked(folder))


def files_to_keep(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Yield the files that a backup takes, each with its path in the backup; without the databases, which are copied.

    Left out is what is there for running processes alone: locks, drafts, staging, Spark's scratch, the record of
    services, and the database of nights in process.
    """
    folders = roots(settings)
    for name, folder in folders.items():
        others = {path for other, path in folders.items() if other != name}
        for path in _walked(folder, skipped=others | _passing(settings)):
            if not _is_passing(path, folder):
                yield f"{name}/{path.relative_to(folder)}", path


def _passing(settings: Settings) -> set[Path]:
    home = settings.home
    databases = [sqlite_file(name, settings) for name in ("mlflow", "airflow")]
    return {
        home / "spark-local",
        home / "spark-warehouse",
        home / "airflow" / "in-process",
        home / "airflow" / "services.lock",
        home / "airflow" / "database.lock",
        services_record(home),
        registry_lock(home),
        *(Path(f"{path}{ending}") for path in databases for ending in ("", *COMPANIONS)),
    }


def _is_passing(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    is_companion = path.name.endswith(COMPANIONS) and path.with_name(path.name.rpartition("-")[0]).exists()
    is_latest = path.name == "latest" and path.is_symlink()  # of Airflow's logs
    return any(part in _LOCKS for part in parts) or bool(_DRAFT.fullmatch(path.name)) or is_companion or is_latest


def _walked(folder: Path, skipped: set[Path] | None = None) -> Iterator[Path]:
    """Yield files and links below the folder in name order, following no link."""
    for name, folders, files in os.walk(folder):
        parent, without = Path(name), skipped or set()
        links = [one for one in folders if (parent / one).is_symlink()]
        folders[:] = sorted(one for one in folders if one not in links and parent / one not in without)
        yield from (parent / one for one in sorted([*files, *links]) if parent / one not in without)
