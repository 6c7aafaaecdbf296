"""`restore`: a home becomes what a backup holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog

from conf.settings import Settings
from rl.upkeep.restore import restore_backup


def run(*, settings: Settings, backup: Path, is_forced: bool) -> dict[str, Any]:
    """Restore the backup; return what it held, and where what was there before is kept.

    Raises:
        BackupError: the backup isn't whole or doesn't fit, or something is there already; the home is as it was.
        NightAtWork: somebody computes a night.
        DatabaseCopyError: a database can't be made what the backup holds.
    """
    manifest, aside = restore_backup(settings, backup.resolve(), is_forced=is_forced)
    for told in manifest.left_out:
        structlog.get_logger().warning("not in the backup", what=told)
    return {
        "home": str(settings.home),
        "made_at": manifest.made_at,
        "files": len(manifest.files) + len(manifest.links),
        "databases": {name: one.kind for name, one in manifest.databases.items()},
        "set_aside": aside,
        "left_out": list(manifest.left_out),
    }
