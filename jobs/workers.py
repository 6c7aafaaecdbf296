"""The process that Spark forks its Python workers from, with all that they need loaded before the first.

Spark's own (`pyspark.daemon`) loads nothing: each worker then loads NumPy, pandas, PyArrow and the jobs by itself, and
looks through all of it for garbage after every task. Here it is loaded once and kept out of these searches.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pyarrow

# What the functions that run in workers need, with all that stands below it.
NEEDED = (
    "pandas",
    "pyarrow.parquet",
    "pyspark.sql.pandas.serializers",
    "pyspark.worker",
    "jobs.commands.ingest",
    "jobs.observations.histories",
    "jobs.transitions.build",
)


def main() -> None:
    """Load what workers need, then fork one whenever Spark asks for it."""
    os.umask(0o077)  # what they write is its owner's alone, on a cluster's nodes as here
    sys.path[:] = without_archives(sys.path)
    for name in NEEDED:
        importlib.import_module(name)
    keep_memory()
    gc.collect()
    gc.freeze()
    importlib.import_module("pyspark.daemon").manager()


def keep_memory() -> None:
    """Let Arrow take memory from the system's `malloc`, which hands out again what was given back.

    Arrow's own choice returns large pieces to the system and takes them anew, page by page: a fifth of a night's build.
    """
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())


def without_archives(paths: list[str]) -> list[str]:
    """Return the paths less the archives in a PySpark package that is found without them.

    Spark puts these first. They hold the package's own modules, but not compiled: every process that loads them
    compiles them anew.
    """
    unpacked = [path for path in paths if Path(path).suffix != ".zip"]
    spec = PathFinder.find_spec("pyspark", unpacked)
    if spec is None or spec.origin is None:
        return paths
    archives = Path(spec.origin).resolve().parent / "python" / "lib"
    return [path for path in paths if path in unpacked or Path(path).resolve().parent != archives]


if __name__ == "__main__":
    main()
