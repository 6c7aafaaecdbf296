"""`vacuum`: what nobody needs any more leaves the home; without a confirmation it is only told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from conf.errors import NightAtWork
from conf.night_lock import idle_night
from conf.paths import Lake
from conf.publication import publishing
from conf.settings import Settings
from rl.upkeep.disk_use import bytes_a_night, bytes_by_table, freed_bytes, nights_left
from rl.upkeep.needed_nights import KnownNight, known_nights
from rl.upkeep.table_versions import old_delta_files, set_aside, superseded_versions
from rl.upkeep.unneeded_models import remove_models, unneeded_models
from rl.upkeep.working_files import (
    ended_pins,
    forget_results,
    old_copies,
    old_logs,
    orphaned_staging,
    remove,
    run_of,
    unneeded_checkpoints,
)

log = structlog.get_logger()

Kinds = Mapping[str, Sequence[Path]]


def run(*, settings: Settings, is_confirmed: bool, keep_days: int) -> dict[str, Any]:
    """Remove what nobody needs, if that is confirmed; print a line a kind and return what goes, in paths and bytes.

    Raw files, the pseudonym key, the records of approvals, launches and alerts, and MLflow's entries always stay; of
    entries that can't be promoted any more the model goes.
    Killed midway, the same command finishes: what is half removed lies where no reader looks.

    Args:
        settings: of the home.
        is_confirmed: nothing is removed without.
        keep_days: days that logs, copies made before upgrades, pins and models of nights, and the history of Delta
            tables stay.

    Raises:
        NightAtWork: somebody computes a night; nothing was removed.
        NightcartError: a pointer, a night's pins or the registry can't be read, so that nothing may go.
    """
    nights = known_nights(settings, keep_days=keep_days)
    _refuse_at_work(nights)
    lakes = [Lake(settings.lake, path.name) for path in _sources(settings.lake)]
    kinds = _found(settings, lakes, nights, keep_days)
    freed = freed_bytes(kinds)
    if is_confirmed:
        _remove(settings, lakes, kinds, keep_days)
    a_night = bytes_a_night(lakes, (night.run for night in nights))
    result = {
        "is_removed": is_confirmed,
        "found": {kind: {"paths": len(paths), "bytes": freed[kind]} for kind, paths in kinds.items()},
        "bytes": sum(freed.values()),
        "kept_nights": {str(night.run.folder.relative_to(settings.home)): night.why for night in nights if night.why},
        "tables": bytes_by_table(lakes),
        "bytes_a_night": a_night,
        "nights_until_full": nights_left(settings.home, a_night) if settings.home.is_dir() else None,
    }
    print("\n".join(_lines(result)), flush=True)
    return result


def _refuse_at_work(nights: Iterable[KnownNight]) -> None:
    for night in (one for one in nights if one.run.lock("night").parent.is_dir()):
        with idle_night(night.run, "make vacuum"):
            pass


def _sources(lake: Path) -> list[Path]:
    return sorted(path for path in lake.glob("*") if path.is_dir() and not path.name.startswith("_"))


def _found(settings: Settings, lakes: Iterable[Lake], nights: Sequence[KnownNight], keep_days: int) -> Kinds:
    return {
        "table_versions": [path for lake in lakes for path in superseded_versions(lake, nights)],
        "delta_history": [path for lake in lakes for path in old_delta_files(lake, keep_days=keep_days)],
        "pins": ended_pins(nights),
        "checkpoints": unneeded_checkpoints(nights),
        "models": [one.folder for one in unneeded_models(settings, nights)],
        "logs": old_logs(settings.home, keep_days=keep_days),
        "copies": old_copies(settings.home, settings.databases_in_use(), keep_days=keep_days),
        "staging": [path for lake in lakes for path in orphaned_staging(lake)],
    }


def _remove(settings: Settings, lakes: Iterable[Lake], kinds: Kinds, keep_days: int) -> None:
    """Remove what was found, pins and results first: nothing may name what is gone."""
    for path in (*kinds["pins"], *kinds["checkpoints"]):
        try:
            with idle_night(run_of(path, settings.home), "make vacuum"):
                if path not in kinds["pins"]:
                    forget_results(path)
                remove(path)
        except NightAtWork as error:  # it began since
            log.warning("kept", path=str(path), why=str(error))
    for path in (*kinds["logs"], *kinds["copies"], *kinds["staging"]):
        remove(path)
    # Looked for again: what was published or prepared meanwhile may name what was found.
    nights = known_nights(settings, keep_days=keep_days)
    _refuse_at_work(nights)
    for path in remove_models(settings, nights, kinds["models"]):
        remove(path)
    for lake in lakes:
        with publishing(lake.lock):
            aside = [
                set_aside(path, lake)
                for path in superseded_versions(lake, nights)
                if path in set(kinds["table_versions"])
            ]
            for path in (one for one in kinds["delta_history"] if one.is_relative_to(lake.folder)):
                remove(path)
        for path in aside:
            remove(path)


def _lines(result: Mapping[str, Any]) -> list[str]:
    """Return the result for people."""
    names = {
        "table_versions": "superseded versions of tables",
        "delta_history": "files that Delta tables no longer name",
        "pins": "pins of old nights",
        "checkpoints": "checkpoints of nights that nothing needs",
        "models": "models of versions that can't be promoted",
        "logs": "old logs",
        "copies": "copies of databases made before upgrades",
        "staging": "what killed jobs left",
    }
    lines = [f"{names[kind]}: {one['paths']}, {one['bytes']:,} bytes" for kind, one in result["found"].items()]
    lines += [f"{name} takes {n_bytes:,} bytes" for name, n_bytes in result["tables"].items()]
    left = result["nights_until_full"]
    lasts = "" if left is None else f"; the disk has room for {left:,} of them"
    lines.append(f"a night adds about {result['bytes_a_night']:,} bytes{lasts}")
    total = f"{result['bytes']:,} bytes"
    lines.append(f"removed: {total}" if result["is_removed"] else f"nothing was removed; YES=1 removes {total}")
    return lines
