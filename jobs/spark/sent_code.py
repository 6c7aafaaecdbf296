"""The driver's code, sent to a cluster's workers: they run what the driver runs, whatever checkout their node has."""

from __future__ import annotations

import zipfile
from pathlib import Path

from conf.settings import PROJECT_ROOT

_PACKAGES = ("conf", "jobs")
_UNPACKED = "nightcart"
"""Where Spark unpacks it, in the folder that an executor works in."""


def sent_code_options(folder: Path, *, also: str = "") -> dict[str, str]:
    """Write the code into the folder; return options that send it and let workers begin with it.

    Args:
        folder: of this session.
        also: archives that the deployment's options name.
    """
    archive = folder / "code.zip"
    write_code(archive)
    archives = f"{archive.as_uri()}#{_UNPACKED}"
    return {
        "spark.archives": f"{also},{archives}" if also else archives,
        # Relative: an executor's own folder is where it works, and where the archive is before its first task.
        "spark.executorEnv.PYTHONPATH": _UNPACKED,
        "spark.python.daemon.module": "jobs.workers",
    }


def write_code(archive: Path) -> None:
    """Write the packages that workers import into one archive."""
    with zipfile.ZipFile(archive, "w", compression=zipfile.ZIP_DEFLATED) as file:
        for package in _PACKAGES:
            for path in sorted((PROJECT_ROOT / package).rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    file.write(path, path.relative_to(PROJECT_ROOT))
