"""Folders for files that are not published yet: removed by the publisher that made them, or by the next if it died."""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.abandoned import is_abandoned


@contextmanager
def staging_folder(staging: Path) -> Iterator[Path]:
    """Make a folder below a table's staging folder; remove it afterwards, and before it those of dead publishers.

    Its name says which process on which machine made it, so that others know whether it is still at work.
    """
    remove_abandoned(staging)
    folder = staging / f"{socket.gethostname()}~{os.getpid()}~{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(staging: Path) -> None:
    """Remove folders whose process is gone, or that are a day old."""
    for folder in staging.glob("*~*~*"):
        if is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
