"""What a process and its descendants have used: processor seconds, and the memory of each kind at its peak."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


class TreeWatch:
    """Watches the tree of this process until the block ends.

    Looks again and again, since nobody is told what a process used whose parent ignores its end, as that of Spark's
    Python workers does: what counts is the last look. A process that lives between two looks is missed.

    Attributes:
        peak_bytes: the greatest sum seen of resident bytes that aren't shared, of `java`, of all others (`python`), and
            of `all` at once.
    """

    def __init__(self, every_seconds: float = 0.25) -> None:
        self.peak_bytes = {"java": 0, "python": 0, "all": 0}
        self._ticks: dict[tuple[int, str], int] = {}
        self._every, self._ended, self._looking = every_seconds, threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TreeWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def processor_seconds(self) -> float:
        """Return user and system seconds of the tree so far, of processes that have ended too."""
        self._look()
        return sum(self._ticks.values()) / _TICKS

    def timed(self, stages: dict[str, dict[str, float]], name: str, work: Callable[[], Any]) -> None:
        """Do the work, and note its seconds and processor seconds as those of a stage."""
        started, used = time.monotonic(), self.processor_seconds()
        work()
        stages[name] = {
            "seconds": round(time.monotonic() - started, 2),
            "processor_seconds": round(self.processor_seconds() - used, 2),
        }

    def _watch(self) -> None:
        while not self._ended.wait(self._every):
            self._look()

    def _look(self) -> None:
        with self._looking:
            now = {"java": 0, "python": 0}
            for pid in tree_of(os.getpid()):
                if fields := _stat(pid):
                    started = fields[19]  # two processes may have one number, one after the other
                    self._ticks[pid, started] = int(fields[11]) + int(fields[12])
                    now[_kind(pid)] += _own_bytes(pid)
            for kind, n_bytes in (now | {"all": sum(now.values())}).items():
                self.peak_bytes[kind] = max(self.peak_bytes[kind], n_bytes)


def _stat(pid: int) -> list[str]:
    """Return the fields of a process's state after its name; none where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def tree_of(root: int) -> list[int]:
    """Return the process and its descendants, each asked for its children: looking at every process costs more."""
    found, waiting = [], [root]
    while waiting:
        found.append(pid := waiting.pop())
        waiting += _children(pid)
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(OSError):  # the process has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):  # the thread has
                children += map(int, (thread / "children").read_text().split())
    return children


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
