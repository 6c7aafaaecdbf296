"""A backup's files put together beside the home, compared with their sums, and moved into place by renaming."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from conf.intact_files import sum_of
from conf.publication import FileSum
from conf.settings import Settings
from rl.errors import BackupError
from rl.upkeep.backup_manifest import BackupManifest, sqlite_file
from rl.upkeep.home_roots import holds_files, roots
from rl.upkeep.summed_copy import copy_summed

_SHOWN = 20


@dataclass(frozen=True)
class Stages:
    """Where folders, and a database outside of them, are put together.

    Attributes:
        roots: the folders `home`, `lake` and `artifacts`, where they will lie.
        moves: what is renamed at the end, by where to: the outermost folders, the home first, and such a database.
    """

    roots: dict[str, Path]
    moves: dict[Path, Path]

    def of_file(self, path: Path) -> Path:
        """Return where the file, named by its place to be, is put together."""
        for place, stage in self.moves.items():
            if path == place or path.is_relative_to(place):
                return stage / path.relative_to(place) if path != place else stage
        raise BackupError(f"{path}: lies in no folder that is restored")


@contextmanager
def staged(settings: Settings, backup: Path, manifest: BackupManifest) -> Iterator[Stages]:
    """Put the backup together beside the home, and yield where; what isn't moved into place meanwhile is removed.

    Raises:
        BackupError: names every file that isn't what was backed up, or that has no place here.
    """
    stages = _stages(settings, manifest)
    try:
        _clear(stages)
        for folder in stages.roots.values():
            stages.of_file(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        _fill(settings, backup, manifest, stages)
        os.sync()
        yield stages
    finally:
        _clear(stages)


def put_in_place(stages: Stages) -> list[str]:
    """Rename what was put together to its place; return where what was there before is kept.

    Raises:
        BackupError: a folder can't be renamed, being the mount point of a disk.
    """
    aside = []
    for place, stage in stages.moves.items():
        try:
            aside += _set_aside(place)
            stage.rename(place)
        except OSError as error:
            raise BackupError(
                f"{place}: can't be renamed ({error.strerror}); is it the mount point of a disk? Name a folder in it "
                "(NIGHTCART_HOME, NIGHTCART_LAKE), then run this again"
            ) from error
    return aside


def _stages(settings: Settings, manifest: BackupManifest) -> Stages:
    folders = roots(settings)
    moves: dict[Path, Path] = {}
    outside = [sqlite_file(name, settings) for name, one in manifest.databases.items() if one.kind == "sqlite"]
    for place in [*folders.values(), *outside]:
        if not any(place.is_relative_to(known) for known in moves):
            moves[place] = place.with_name(f".{place.name}.restoring")
    return Stages(folders, moves)


def _fill(settings: Settings, backup: Path, manifest: BackupManifest, stages: Stages) -> None:
    places = {name: _place(settings, manifest, stages, name) for name in [*manifest.files, *manifest.links]}
    found = {name: _damage(backup / name, places[name], one) for name, one in manifest.files.items()}
    if damaged := [f"{name}: {problem}" for name, problem in found.items() if problem]:
        more = [f"and {len(damaged) - _SHOWN} more"] if len(damaged) > _SHOWN else []
        listed = "\n".join(f"  {line}" for line in [*damaged[:_SHOWN], *more])
        raise BackupError(f"{backup}: damaged since it was made, nothing was restored; name another backup:\n{listed}")
    for name, source in manifest.links.items():
        first, further = places[source], places[name]
        if first is None or further is None:
            raise BackupError(f"{name}: linked to {source}, which is no file of the home; name another backup")
        further.parent.mkdir(parents=True, exist_ok=True)
        os.link(first, further)


def _place(settings: Settings, manifest: BackupManifest, stages: Stages, name: str) -> Path | None:
    """Return where a file of the backup is put together; None for a dump, which is restored from where it is.

    Raises:
        BackupError: it has no place here.
    """
    root, _, rest = name.partition("/")
    databases = {one.file: (which, one.kind) for which, one in manifest.databases.items()}
    if name in databases:
        which, kind = databases[name]
        return stages.of_file(sqlite_file(which, settings)) if kind == "sqlite" else None
    if root not in stages.roots or ".." in Path(rest).parts:
        raise BackupError(f"{name}: the backup's {root} has no place here (NIGHTCART_MLFLOW_ARTIFACTS names another)")
    return stages.of_file(stages.roots[root] / rest)


def _damage(path: Path, target: Path | None, expected: FileSum) -> str:
    """Copy the file, where it has a target, and return what is wrong with it; empty for nothing."""
    try:
        found = sum_of(path) if target is None else copy_summed(path, target)
    except FileNotFoundError:
        return "it is gone"
    if found.n_bytes != expected.n_bytes:
        return f"{found.n_bytes} bytes, {expected.n_bytes} were backed up"
    return "" if found == expected else "its bytes are not those that were backed up"


def _set_aside(place: Path) -> list[str]:
    """Rename what is at the place, where it holds anything, and return the new name; remove an empty folder."""
    if place.is_dir() and not holds_files(place):
        shutil.rmtree(place)
    if not place.exists():
        return []
    now = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    aside = place.with_name(f"{place.name}.before-restore-{now}")
    place.rename(aside)
    return [str(aside)]


def _clear(stages: Stages) -> None:
    """Remove what is put together: a killed restore's too."""
    for stage in stages.moves.values():
        if stage.is_dir():
            shutil.rmtree(stage)
        stage.unlink(missing_ok=True)
