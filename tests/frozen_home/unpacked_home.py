from __future__ import annotations

import sqlite3
import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).with_name("home.tar.xz")
FROZEN = "/frozen/home"
_PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "model_versions": ("source", "storage_location"),
}


def unpack_home(folder: Path) -> Path:
    """Unpack the frozen home below the folder and return it; MLflow's entries name the files where they lie now."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    home = folder / "home"
    move_artifacts(home / "mlflow.db", FROZEN, str(home))
    return home


def move_artifacts(database: Path, before: str, after: str) -> None:
    """Put another home's path into every place where MLflow's database names files."""
    with sqlite3.connect(database) as connection:
        for table, columns in _PLACES.items():
            for column in columns:
                connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (before, after))
    connection.close()
