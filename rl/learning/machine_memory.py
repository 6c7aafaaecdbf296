"""How much memory this process may count on: the machine's, or what a container leaves of it."""

from __future__ import annotations

import os
from pathlib import Path

# Of a container: control groups of the second version, and of the first.
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine_memory() -> int:
    """Return the bytes of memory that this process may count on."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _LIMITS:
        try:
            found.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such group, or "max": no limit
            continue
    return min(found)
