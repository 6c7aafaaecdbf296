"""What the tests of one run build once and share, whichever of its processes needs it first.

A build lies below the run's temporary folder, under its name. It is moved there when it is whole, so that a process
that is killed leaves nothing half built. Whoever uses it reads it, or copies it before changing anything.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

MLFLOW_DATABASE = "mlflow.db"


def built_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """The folder that `build` filled, in this process or in another of the same run.

    Args:
        factory: of the session; two of its processes share the folder that theirs lie in.
        name: of the build, its own among all tests.
        build: fills the folder it is given, which doesn't exist yet; where it raises, the next who asks builds anew.
    """
    run = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker's folder lies in that of the run
        run = run.parent
    shared, draft = run / "shared" / name, run / "shared" / f"{name}.draft"
    shared.parent.mkdir(exist_ok=True)
    with (run / "shared" / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # falls with the process
        if not shared.exists():
            shutil.rmtree(draft, ignore_errors=True)
            build(draft)
            draft.rename(shared)
    return shared


def copy_database(made: Path, path: Path) -> None:
    """Put a copy of a new MLflow database in place, as one that was made there: what is there already stays."""
    draft = path.with_name(f"{path.name}.draft-{os.getpid()}")
    shutil.copyfile(made, draft)
    artifacts = (path.parent / "mlartifacts").as_uri()
    with closing(sqlite3.connect(draft)) as database, database:
        database.execute("UPDATE experiments SET artifact_location = ? || '/' || experiment_id", (artifacts,))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
