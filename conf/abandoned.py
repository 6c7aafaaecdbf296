"""Folders that a process made for itself: whether it has left them behind."""

from __future__ import annotations

import socket
import time
from pathlib import Path

ABANDONED_AFTER_SECONDS = 24 * 3600


def is_abandoned(folder: Path) -> bool:
    """Return whether the folder, named `host~process~id`, is a day old or its process on this machine is gone."""
    host, pid, _ = folder.name.split("~")
    try:
        if time.time() - folder.stat().st_mtime > ABANDONED_AFTER_SECONDS:
            return True
    except FileNotFoundError:
        return False
    return host == socket.gethostname() and not Path(f"/proc/{pid}").exists()
