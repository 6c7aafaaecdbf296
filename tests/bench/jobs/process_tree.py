"""What a process and its descendants have used: processor seconds, and the memory of each kind at its peak."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


def processor_seconds(root: int | None = None) -> float:
    """Return user and system seconds of the tree so far, of processes that have ended and were waited for too."""
    return sum(_ticks(pid) for pid in _tree(root or os.getpid())) / _TICKS


def _ticks(pid: int) -> int:
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) if fields else 0


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's state after its name; none where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _tree(root: int) -> list[int]:
    """Return the process and its descendants, each asked for its children: looking at every process costs more."""
    found, waiting = [], [root]
    while waiting:
        found.append(pid := waiting.pop())
        waiting += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has ended
            children += map(int, path.read_text().split())
    return children


class PeakMemory:
    """Watches the tree of this process: resident bytes that aren't shared, of the JVM and of all Python processes.

    Attributes:
        bytes_by_kind: the greatest sum seen, of `java`, `python` and `all` at once.
    """

    def __init__(self, every_seconds: float = 0.5) -> None:
        self.bytes_by_kind = {"java": 0, "python": 0, "all": 0}
        self._every, self._ended = every_seconds, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._every):
            now = {"java": 0, "python": 0}
            for pid in _tree(os.getpid()):
                now[_kind(pid)] += _own_bytes(pid)
            for kind, n_bytes in (now | {"all": sum(now.values())}).items():
                self.bytes_by_kind[kind] = max(self.bytes_by_kind[kind], n_bytes)


def _kind(pid: int) -> str:
    try:
        return "java" if Path(f"/proc/{pid}/comm").read_text().startswith("java") else "python"
    except OSError:
        return "python"


def _own_bytes(pid: int) -> int:
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE
