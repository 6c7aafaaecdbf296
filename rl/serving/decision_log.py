"""Decisions on disk before they leave: one file a business day, lines in groups, each group synced once.

A writer thread takes whatever waits, appends it to the day's file and syncs it; only then does anybody learn that a
line is written. A line that can't be written is taken out of the file again, so that what stands in it was decided.
"""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import structlog

from conf.publication import sync
from rl.errors import DecisionLogError

_MOST_AT_ONCE = 4_096
_TAIL_BYTES = 1 << 20
_NAME = "decisions-{}.jsonl"


@dataclass(frozen=True)
class _Waiting:
    day: date
    content: bytes
    written: Future[None]


class DecisionLog:
    """The log of one service; a second one of the same folder is refused.

    Attributes:
        folder: holds `decisions-<business day>.jsonl`.
        problem: why nothing can be written at the moment; empty where the last group was.
    """

    def __init__(self, folder: Path) -> None:
        """Take the folder, remove what a killed service left of an unfinished line, and start the writer.

        Raises:
            DecisionLogError: the folder can't be written to, or another service writes there.
        """
        self.folder, self.problem = folder, ""
        self._lock = _taken(folder)
        self._files: dict[date, _DayFile] = {}
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="decision log", daemon=True)
        self._writer.start()

    def append(self, day: date, lines: Sequence[str]) -> Future[None]:
        """Return what is done once all the lines are on disk; it raises a DecisionLogError where none of them is.

        Args:
            day: business day of the decisions.
            lines: without their ends.
        """
        written: Future[None] = Future()
        self._queue.put(_Waiting(day, "".join(f"{line}\n" for line in lines).encode("utf-8"), written))
        return written

    def probe(self) -> None:
        """Ask whether the log can be written again; `problem` says so soon after."""
        if self.problem and self._files:
            self.append(max(self._files), [])

    def close(self) -> None:
        """Write what waits, and give the folder up."""
        self._queue.put(None)
        self._writer.join()
        for file in self._files.values():
            file.close()
        os.close(self._lock)

    def _write_all(self) -> None:
        while (first := self._queue.get()) is not None:
            waiting, is_over = self._taken_with(first)
            for day in sorted({one.day for one in waiting}):
                self._write_day(day, [one for one in waiting if one.day == day])
            if is_over:
                return

    def _taken_with(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        """Return all that waits, and whether the log is to be closed after it."""
        taken = [first]
        while len(taken) < _MOST_AT_ONCE:
            try:
                following = self._queue.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return taken, True
            taken.append(following)
        return taken, False

    def _write_day(self, day: date, waiting: Sequence[_Waiting]) -> None:
        file = self._files.setdefault(day, _DayFile(day_file(self.folder, day)))
        try:
            file.append(b"".join(one.content for one in waiting))
        except OSError as error:
            reason = error.strerror or str(error)
            problem = f"{file.path}: decisions can't be written ({reason}); nothing is decided until they can"
            if not self.problem:
                structlog.get_logger().error("decision log", problem=problem)
            self.problem = problem
            for one in waiting:
                one.written.set_exception(DecisionLogError(problem))
            return
        self.problem = ""
        self._close_older_than(day)
        for one in waiting:
            one.written.set_result(None)

    def _close_older_than(self, day: date) -> None:
        """Close the files of days before yesterday's: their decisions have all been made."""
        for old in sorted(self._files)[:-2]:
            if old < day:
                self._files.pop(old).close()


class _DayFile:
    """One day's file, open for appending; `n_bytes` of it are known to be on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._n_bytes = 0
        self._is_lost = False

    def append(self, content: bytes) -> None:
        """Append the content durably, or leave the file as it was.

        Raises:
            OSError: it can't be written, or the file that was written so far has been taken away.
        """
        if self._is_lost:
            raise OSError(errno.ENOENT, "the file was removed or replaced while it was written; start the service anew")
        descriptor = self._open()
        try:
            _write_whole(descriptor, content)
            os.fsync(descriptor)
            self._check_place(descriptor)
        except OSError:
            self._take_back(descriptor)
            raise
        self._n_bytes += len(content)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            is_new = not self.path.exists()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            descriptor = os.open(self.path, flags, 0o600)
            try:
                if is_new or not self._n_bytes:
                    sync(self.path.parent)
                    self._n_bytes = os.fstat(descriptor).st_size
                else:  # a failure before: what it may have left behind the known end goes
                    os.ftruncate(descriptor, self._n_bytes)
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor
        return self._descriptor

    def _check_place(self, descriptor: int) -> None:
        """Raise if the path no longer leads to the file.

        Raises:
            OSError: it was removed, renamed or replaced.
        """
        try:
            is_there = os.stat(self.path).st_ino == os.fstat(descriptor).st_ino  # noqa: PTH116  (at every group)
        except FileNotFoundError:
            is_there = False
        if not is_there:
            self._is_lost = True
            raise OSError(errno.ENOENT, "the file was removed or replaced while it was written; start the service anew")

    def _take_back(self, descriptor: int) -> None:
        """Cut what was appended off again; where that fails too, the next opening does it."""
        self._descriptor = None
        try:
            os.ftruncate(descriptor, self._n_bytes)
        except OSError:
            pass
        finally:
            os.close(descriptor)


def day_file(folder: Path, day: date) -> Path:
    """Return the file of a business day's decisions."""
    return folder / _NAME.format(day)


def has_logs(folder: Path) -> bool:
    """Return whether the folder holds the decisions of any day."""
    return next(folder.glob(_NAME.format("*")), None) is not None


def logged_lines(folder: Path, day: date) -> Iterable[str]:
    """Yield the lines of a day's file; none where there is no such file."""
    try:
        with day_file(folder, day).open(encoding="utf-8") as file:
            yield from (line.rstrip("\n") for line in file)
    except FileNotFoundError:
        return


def _taken(folder: Path) -> int:
    """Return the descriptor that holds the folder for this process, after unfinished lines were removed.

    Raises:
        DecisionLogError: the folder can't be written to, or another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DecisionLogError(f"{folder}: decisions can't be written here ({error.strerror}); give access") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in folder.glob(_NAME.format("*")):
            remove_unfinished_line(path)
    except BlockingIOError as error:
        os.close(lock)
        raise DecisionLogError(
            f"{folder}: another service writes its decisions here; stop it, or name another folder"
        ) from error
    except OSError as error:
        os.close(lock)
        raise DecisionLogError(f"{folder}: decisions can't be written here ({error.strerror}); give access") from error
    return lock


def remove_unfinished_line(path: Path) -> None:
    """Cut the file after its last whole line: what follows was never answered."""
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, n_bytes - _TAIL_BYTES))
        tail = file.read()
    n_left = len(tail) - (tail.rfind(b"\n") + 1)
    if n_left:
        os.truncate(path, n_bytes - n_left)
        structlog.get_logger().warning("an unfinished line was removed", file=str(path), n_bytes=n_left)


def _write_whole(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
