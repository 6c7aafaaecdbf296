"""A home on which no night, publisher or registrar is at work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

from conf.night_lock import idle_night
from conf.paths import Lake, Run, registry_lock
from conf.publication import publishing
from conf.settings import Settings


@contextmanager
def quiet_home(settings: Settings, command: str) -> Iterator[None]:
    """Hold every night of the home, each lake's publication and the registry; what wants to begin meanwhile waits.

    Args:
        settings: of the home.
        command: what a process that waits is told.

    Raises:
        NightAtWork: somebody computes a night; nothing waits.
    """
    with ExitStack() as held:
        for run in _locked_runs(settings.home):
            held.enter_context(idle_night(run, command))
        for folder in sorted(path for path in settings.lake.glob("*") if path.is_dir() and path.name[0] != "_"):
            held.enter_context(publishing(Lake(settings.lake, folder.name).lock))
        held.enter_context(publishing(registry_lock(settings.home)))
        yield


def _locked_runs(home: Path) -> Iterator[Run]:
    """Yield the nights that anybody ever worked on, as their folders of locks tell."""
    for folder in sorted((home / "runs").glob("*/*/*/_locks")):
        source, scenario, day = folder.parts[-4:-1]
        try:
            yield Run(home, source, scenario, date.fromisoformat(day))
        except ValueError:
            continue  # no night's folder
