"""Whether this process was started with a lower priority than usual: then it is slow while others are at work."""

from __future__ import annotations

import os


def lowered_priority() -> str | None:
    """Return what to tell of a lowered priority, and how to raise it; None where it is the usual one.

    No command lowers its own: it is inherited from a shell, a scheduler or a unit of systemd.
    """
    nice = os.nice(0)
    if nice <= 0:
        return None
    return (
        f"runs at nice {nice}, inherited from whatever started it: slower while others are at work on the machine. To "
        f"change it: sudo renice -n 0 -p {os.getpid()}, or start it without nice"
    )
