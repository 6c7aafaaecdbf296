"""`backup`: all that a home can't make anew, as it stands at one moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog

from conf.settings import Settings
from rl.upkeep.backup import make_backup


def run(*, settings: Settings, out: Path) -> dict[str, Any]:
    """Write the backup and return what it holds, in numbers, and what it leaves out.

    Raises:
        NightAtWork: somebody computes a night; repeat when it has ended.
        BackupError: the folder doesn't fit, or a file went away meanwhile.
        DatabaseCopyError: a database can't be copied.
    """
    manifest = make_backup(settings, out)
    for told in manifest.left_out:
        structlog.get_logger().warning("not in the backup", what=told)
    return {
        "backup": str(out.resolve()),
        "made_at": manifest.made_at,
        "files": len(manifest.files) + len(manifest.links),
        "bytes": sum(one.n_bytes for one in manifest.files.values()),
        "databases": {name: one.kind for name, one in manifest.databases.items()},
        "left_out": list(manifest.left_out),
    }
