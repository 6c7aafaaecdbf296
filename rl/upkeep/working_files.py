"""Files that nights and services leave for themselves, once nobody goes on from them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterable
from datetime import date
from pathlib import Path

from conf.abandoned import is_abandoned
from conf.paths import Lake, Run
from conf.plain_json import to_json
from conf.publication import write_atomically
from rl.data.pinned_versions import VERSIONS_FILE
from rl.learning.trained_candidates import FAILURE_FILE
from rl.upkeep.needed_nights import KnownNight

_CHECKPOINTS = ("checkpoints", "replay", "checkpoint*.pt")
_COPIES = (".db", ".dump")


def unneeded_checkpoints(nights: Iterable[KnownNight]) -> list[Path]:
    """Return checkpoints of nights that nothing needs; their versions stay in MLflow, and their policies here."""
    return [
        path
        for night in nights
        if not night.why
        for pattern in _CHECKPOINTS
        for path in sorted((night.run.folder / "candidates").glob(f"*/{pattern}"))
    ]


def ended_pins(nights: Iterable[KnownNight]) -> list[Path]:
    """Return the pins of old nights that nothing needs: with them go the table versions that they alone named."""
    found = [night.run.dataset / VERSIONS_FILE for night in nights if not night.holds_pins]
    return [path for path in found if path.exists()]


def forget_results(path: Path) -> None:
    """Note in a candidate's folder why it has to be trained anew before anything reads the checkpoint at the path."""
    reason = "a vacuum removed its checkpoints"
    write_atomically(path.parent / FAILURE_FILE, to_json({"reason": reason}))
    (path.parent / "result.json").unlink(missing_ok=True)


def old_logs(home: Path, *, keep_days: int) -> list[Path]:
    """Return the logs of nights, commands and Airflow that nothing was written to for so long.

    Records of alerts and failures (`.jsonl`) are none.
    """
    before = time.time() - keep_days * 24 * 3600
    found = [*(home / "logs").glob("*.log"), *(home / "airflow" / "logs").rglob("*")]
    return sorted(path for path in found if path.is_file() and not path.is_symlink() and path.stat().st_mtime < before)


def old_copies(home: Path, in_use: Collection[Path], *, keep_days: int) -> list[Path]:
    """Return the copies of Airflow's and MLflow's databases that upgrades made more than so many days ago.

    Args:
        home: of the deployment.
        in_use: SQLite files that are somebody's database now, however they are called; copies of MLflow's lie beside
            it.
        keep_days: days that a copy stays, from when it was last written.
    """
    before = time.time() - keep_days * 24 * 3600
    used = {path.resolve() for path in in_use}
    copies = {path for ending in _COPIES for path in (home / "airflow").glob(f"before-*{ending}")}
    for folder in {home, *(path.parent for path in in_use)}:
        copies |= {path for ending in _COPIES for path in folder.glob(f"mlflow-before-upgrade-*{ending}")}
    files = (path for path in copies if path.is_file() and not path.is_symlink())
    return sorted(path for path in files if path.resolve() not in used and path.stat().st_mtime < before)


def orphaned_staging(lake: Lake) -> list[Path]:
    """Return the folders that publishers left unpublished when they were killed."""
    return [
        path
        for folder in lake.published_folders()
        for path in sorted(Lake.staging(folder).glob("*~*~*"))
        if is_abandoned(path)
    ]


def run_of(path: Path, home: Path) -> Run:
    """Return the night that a checkpoint belongs to."""
    source, scenario, day = path.relative_to(home / "runs").parts[:3]
    return Run(home, source, scenario, date.fromisoformat(day))


def remove(path: Path) -> None:
    """Remove a file or a folder; one that is gone already is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
