"""Commands that do nothing but tell end quietly when whoever reads them has left, as under `| head`."""

from __future__ import annotations

import signal


def end_with_the_reader() -> None:
    """Let a write to a closed pipe end this process, as it does other programs, instead of raising.

    Only where the process writes to nobody else: a socket whose other end is gone would end it too.
    """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
