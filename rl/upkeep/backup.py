"""A home copied as it stands at one moment, with a manifest that says what every file is."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

from conf.intact_files import sum_of
from conf.postgres_dump import dump_postgres
from conf.publication import FileSum, write_atomically
from conf.settings import Settings
from conf.sqlite_copy import copy_sqlite, is_sqlite
from rl.errors import BackupError
from rl.upkeep.backup_manifest import MANIFEST, BackupManifest, Database, address_of, kind_of, sqlite_file
from rl.upkeep.home_roots import files_to_keep, roots
from rl.upkeep.quiet_home import quiet_home
from rl.upkeep.summed_copy import copy_summed

_GROWING = ("logs/", "airflow/logs/", "serving/")


def make_backup(settings: Settings, out: Path) -> BackupManifest:
    """Copy the home to a folder: first beside it under a hidden name, which becomes the folder when all is written.

    Nights, publishers and writers of the registry wait meanwhile. Files that a service writes to on and on are copied
    as far as they were written.

    Raises:
        NightAtWork: somebody computes a night; nothing was copied.
        BackupError: the folder holds something or lies in the home, or a file changed its place under the copy.
        DatabaseCopyError: a database can't be copied.
    """
    out = out.resolve()
    _refuse_unfit(settings, out)
    draft = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(draft, ignore_errors=True)  # a killed one's
    draft.mkdir(mode=0o700, parents=True)
    try:
        with quiet_home(settings, "make backup"):
            manifest = _copied(settings, draft)
        os.sync()
        write_atomically(draft / MANIFEST, manifest.model_dump_json(indent=1))
        draft.replace(out)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return manifest


def _refuse_unfit(settings: Settings, out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BackupError(f"{out}: holds something; expected a folder that is empty or not there yet")
    for folder in roots(settings).values():
        if out.is_relative_to(folder):
            raise BackupError(f"{out}: lies in {folder}, which is to be copied; name a folder elsewhere (another disk)")


def _copied(settings: Settings, draft: Path) -> BackupManifest:
    """Copy databases first: whatever they name is there when the files follow."""
    databases = _copy_databases(settings, draft)
    files = {one.file: sum_of(draft / one.file) for one in databases.values()}
    links: dict[str, str] = {}
    first: dict[tuple[int, int], str] = {}
    left_out = _kept_elsewhere(settings)
    for name, path in files_to_keep(settings):
        if path.is_symlink() or not path.is_file():
            left_out.append(f"{path}: a link, or no plain file")
            continue
        told = path.stat()
        inode = (told.st_dev, told.st_ino)
        if told.st_nlink > 1 and inode in first:
            links[name] = first[inode]
        elif (copied := _copy(path, draft / name, name)) is not None:
            files[name] = copied
            first[inode] = name
    return BackupManifest(
        made_at=datetime.now().astimezone().isoformat(timespec="seconds"),
        home=str(settings.home),
        artifacts=settings.artifacts_uri,
        key_id=settings.pseudonym_key_id(),
        has_key=settings.given_pseudonym_key is None,
        databases=databases,
        files=files,
        links=links,
        left_out=tuple(left_out),
    )


def _copy_databases(settings: Settings, draft: Path) -> dict[str, Database]:
    found = {}
    for name in ("mlflow", "airflow"):
        kind = kind_of(name, settings)
        if kind == "postgresql":
            found[name] = Database(kind=kind, file=f"databases/{name}.dump")
            dump_postgres(address_of(name, settings), draft / found[name].file)
        elif kind == "sqlite" and sqlite_file(name, settings).exists():
            found[name] = Database(kind=kind, file=f"databases/{name}.db")
            copy_sqlite(sqlite_file(name, settings), draft / found[name].file)
    return found


def _kept_elsewhere(settings: Settings) -> list[str]:
    found = []
    if kind_of("mlflow", settings) is None:
        shown = settings.shown_mlflow_uri
        found.append(f"MLflow at {shown}, its database and its files: back them up where that server keeps them")
    if "artifacts" not in roots(settings):
        found.append(f"files of runs and models at {settings.artifacts_uri}: back them up there")
    if settings.given_pseudonym_key is not None:
        found.append("the pseudonym key, which NIGHTCART_PSEUDONYM_KEY gives: keep it as safely as the backup")
    return found


def _copy(path: Path, target: Path, name: str) -> FileSum | None:
    """Copy one file and return what was copied; None for one of a service's that is gone by now.

    Raises:
        BackupError: another file is gone: something works on the home without its locks.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if is_sqlite(path):
            copy_sqlite(path, target)
            shutil.copystat(path, target)
            return sum_of(target)
        return copy_summed(path, target)
    except FileNotFoundError as error:
        if name.removeprefix("home/").startswith(_GROWING):
            return None
        raise BackupError(f"{path}: gone while the home was copied; repeat when nothing else works on it") from error
