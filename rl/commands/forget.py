"""`forget`: all data of a source leave the home."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import structlog

from conf.night_lock import whole_night
from conf.paths import Lake, Run, forgotten, shared_trace, site_folder, source_runs
from conf.publication import publishing
from conf.settings import Settings
from conf.shared_lake.binding import lost_binding, read_binding
from conf.shared_lake.commit_log import CommitLog
from conf.shared_lake.object_store import ObjectStore
from conf.specs.strict_yaml import suggest
from rl.errors import ForgettingError
from rl.registry.store import CHALLENGER, CHAMPION, aliases, open_store
from rl.registry.versions import load_version

log = structlog.get_logger()


def run(*, settings: Settings, source: str, is_confirmed: bool, is_forced: bool) -> dict[str, Any]:
    """Remove the source's raw deliveries, tables and nights, and return what was removed, in files and bytes.

    Folders are first moved out of every reader's sight, then emptied: killed midway, the same command finishes.

    Args:
        settings: of the home.
        source: its name; it needs no YAML any more.
        is_confirmed: nothing is removed without.
        is_forced: remove although a champion, or a version that waits, was learned from it.

    Raises:
        ForgettingError: nothing is there, nobody confirmed it, or a policy learned from it may serve.
    """
    if re.fullmatch(r"[a-z][a-z0-9_]*", source) is None:
        raise ForgettingError(f"{source!r} is no name of a source; expected one such as my_shop (SOURCE)")
    folders = (Lake(settings.lake, source).folder, source_runs(settings.home, source))
    found = [one for folder in folders for one in (folder, forgotten(folder)) if one.is_dir()]
    trace = shared_trace(folders[0])
    if not found and not trace.exists():
        raise ForgettingError(_nothing(settings, source))
    _refuse_shared(settings, source)
    if not is_forced:
        _refuse_in_use(settings, source)
    removed = _measured(found)
    if not is_confirmed:
        told = ", ".join(f"{name} ({one['files']} files, {one['bytes']:,} bytes)" for name, one in removed.items())
        told = told or f"{trace}, which says through which store it was shared"
        raise ForgettingError(f"nothing was removed; YES=1 removes of {source}: {told}")
    with _alone(settings, source):
        trace.unlink(missing_ok=True)  # first: a folder without it is still bound, it alone would refuse the name
        for folder in folders:
            _empty(forgotten(folder))
            if folder.is_dir():
                folder.rename(forgotten(folder))
    for folder in folders:
        _empty(forgotten(folder))
    _empty(site_folder(settings.home))  # made anew, without the source, when somebody asks for it
    n_bytes = sum(one["bytes"] for one in removed.values())
    log.info("forgotten", source=source, bytes=n_bytes, tables=", ".join(removed))
    return {"source": source, "removed": removed, "bytes": n_bytes}


def _refuse_shared(settings: Settings, source: str) -> None:
    """Raise where the store of a shared lake would bring back what is removed here."""
    folder = Lake(settings.lake, source).folder
    binding = lost_binding(folder) or read_binding(folder)
    if binding is not None and CommitLog(ObjectStore(binding.url), source).current()[0] >= 0:
        raise ForgettingError(
            f"{source} is shared through {binding.url}, which would bring it back, and other homes hold it too: remove "
            f"{binding.url}/{source} with the store's own tools first, then this again in every home"
        )


def _empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _nothing(settings: Settings, source: str) -> str:
    known = sorted({one.name for one in settings.lake.glob("*") if one.is_dir() and not one.name.startswith("_")})
    return f"the home has no data of source {source!r}{suggest(source, known)}"


def _refuse_in_use(settings: Settings, source: str) -> None:
    """Raise if a champion, or a version that waits for approval, was learned from the source."""
    runs = source_runs(settings.home, source)
    models = sorted(
        {f"{path.parent.parent.name}-policy" for path in runs.glob("*/*/registration.json")}
        | {f"{source}-{path.parent.parent.name}" for path in runs.glob("*/*/shopper_registration.json")}
    )
    if not models:
        return  # nothing was registered, so there is nothing to ask for
    used = []
    with open_store(settings) as client:
        for model in models:
            for alias, number in sorted(aliases(client, model).items()):
                version = load_version(client, model, number) if alias in (CHAMPION, CHALLENGER) else None
                if version is not None and version.tags.get("source") == source:
                    what = "is champion" if alias == CHAMPION else "waits for approval"
                    used.append(f"{model} version {number} {what}")
    if used:
        raise ForgettingError(
            f"nothing was removed: {', '.join(used)}, learned from {source}; move the alias in MLflow first, or FORCE=1"
        )


def _measured(folders: list[Path]) -> dict[str, dict[str, int]]:
    """Return files and bytes by table; those of nights as `runs`."""
    found: dict[str, dict[str, int]] = {}
    for folder in folders:
        is_of_runs = folder.parent.name == "runs"
        for path in (one for one in sorted(folder.rglob("*")) if one.is_file()):
            name = "runs" if is_of_runs else path.relative_to(folder).parts[0]
            if name == "_lock":
                continue
            one = found.setdefault(name, {"files": 0, "bytes": 0})
            one["files"], one["bytes"] = one["files"] + 1, one["bytes"] + path.stat().st_size
    return found


@contextmanager
def _alone(settings: Settings, source: str) -> Iterator[None]:
    """Hold every night of the source and its publishers' lock; wait for whoever is at work."""
    with ExitStack() as held:
        for path in sorted(one for one in source_runs(settings.home, source).glob("*/*") if one.is_dir()):
            night = Run(settings.home, source, path.parent.name, date.fromisoformat(path.name))
            held.enter_context(whole_night(night, "forget-source", lambda line: log.warning("waiting", why=line)))
        lake = Lake(settings.lake, source)
        if lake.folder.is_dir():
            held.enter_context(publishing(lake.lock))
        yield
