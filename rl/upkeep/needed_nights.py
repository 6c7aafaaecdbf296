"""Which nights are still needed: their checkpoints stay, and the table versions that they pinned."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from conf.errors import NightcartError
from conf.paths import Run
from conf.settings import Settings
from rl.data.pinned_versions import VERSIONS_FILE
from rl.registry.launches import launches
from rl.registry.store import aliases, open_store

_SECONDS_A_DAY = 24 * 3600


@dataclass(frozen=True)
class KnownNight:
    """A night's run folder, and why it is needed.

    Attributes:
        run: its paths.
        why: it keeps its checkpoints and pins; empty where nothing needs them.
        is_old: whether it was prepared and registered longer ago than what is kept anyway.
    """

    run: Run
    why: str
    is_old: bool

    @property
    def holds_pins(self) -> bool:
        """Whether the table versions that it pinned stay: those of a recent night do, whatever became of it."""
        return bool(self.why) or not self.is_old


def known_nights(settings: Settings, *, keep_days: int) -> list[KnownNight]:
    """Return every night of the home.

    Needed are nights that aren't registered or were prepared again since, unless that is long ago, the last registered
    one of each scenario and source, and those whose version has an alias (the one that waits is among them) or was ever
    promoted.

    Args:
        settings: name home and registry.
        keep_days: for so long a night is no old one.

    Raises:
        NightcartError: a registration can't be read, or the registry can't be asked: nothing may go then.
    """
    runs = list(_runs(settings.home))
    registered = {run: found for run in runs if (found := _registration(run)) is not None}
    used = _used_versions(settings, {model for model, _ in registered.values()})
    last = {(run.source, run.scenario): run.date for run in sorted(registered, key=lambda one: one.date)}
    nights = []
    for run in runs:
        is_old = _is_old(run, keep_days)
        why = ""
        if not is_old and (run not in registered or _is_under_way(run)):
            why = "it isn't registered yet"
        elif run in registered:
            is_last = last[run.source, run.scenario] == run.date
            why = "it is the last one" if is_last else used.get(registered[run], "")
        nights.append(KnownNight(run, why, is_old=is_old))
    return nights


def _runs(home: Path) -> Iterator[Run]:
    for folder in sorted((home / "runs").glob("*/*/*")):
        is_night = (folder / "dataset").is_dir() or (folder / "_locks").is_dir()  # models of shoppers have neither
        if folder.parents[1].name.startswith("_") or not is_night:
            continue
        try:
            yield Run(home, folder.parents[1].name, folder.parent.name, date.fromisoformat(folder.name))
        except ValueError:
            continue  # no night's folder


def _registration(run: Run) -> tuple[str, int] | None:
    try:
        found = json.loads(run.registration.read_text(encoding="utf-8"))
        return str(found["model"]), int(found["version"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise NightcartError(f"{run.registration}: can't be read ({error}); run `make nightly` of its date") from error


def _is_under_way(run: Run) -> bool:
    """Return whether the night was prepared again after its registration: its next steps read that."""
    prepared = run.dataset / VERSIONS_FILE
    return prepared.exists() and prepared.stat().st_mtime > run.registration.stat().st_mtime


def _is_old(run: Run, keep_days: int) -> bool:
    """Return whether the night was neither prepared nor registered within the days."""
    left = [path for path in (run.registration, run.dataset / VERSIONS_FILE) if path.exists()]
    newest = max(path.stat().st_mtime for path in left or [run.folder])
    return time.time() - newest > keep_days * _SECONDS_A_DAY


def _used_versions(settings: Settings, models: set[str]) -> dict[tuple[str, int], str]:
    """Return why versions are needed, for those that are."""
    if not models:
        return {}
    found = {
        (model, launch.version): "its version was promoted"
        for model in models
        for launch in launches(settings.home, model)
    }
    with open_store(settings) as client:
        for model in sorted(models):
            held = aliases(client, model).items()
            found |= {(model, version): f"its version is the {alias}" for alias, version in held}
    return found
