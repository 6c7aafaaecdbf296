"""A file copied and summed in one reading."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

from conf.publication import FileSum

_CHUNK = 1 << 20


def copy_summed(path: Path, target: Path) -> FileSum:
    """Copy a file with its times and return size and SHA-256 of what was copied."""
    target.parent.mkdir(parents=True, exist_ok=True)
    n_bytes, digest = 0, sha256()
    with path.open("rb") as source, target.open("wb") as copy:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            n_bytes += copy.write(chunk)
    shutil.copystat(path, target)
    return FileSum(n_bytes=n_bytes, sha256=digest.hexdigest())
