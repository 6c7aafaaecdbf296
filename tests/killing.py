"""Runs killed with SIGKILL before one of their steps, and a reader that looks on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from conf.publication import read_pointers

FILE_STEPS = ((Path, "rename"), (Path, "replace"), (Path, "hardlink_to"))
"""Whatever moves or replaces a file: nothing that was published changes otherwise."""


class PollingReader(threading.Thread):
    """Reads every pointer again and again, as another program would, and keeps what was not whole."""

    def __init__(self, tables: Iterable[Path]) -> None:
        super().__init__()
        self.tables, self.n_read, self.problems = tuple(tables), 0, list[str]()
        self._has_ended = threading.Event()

    def run(self) -> None:
        while not self._has_ended.wait(0.02):
            self.problems += broken_partitions(self.tables)
            self.n_read += 1

    def end(self) -> None:
        self._has_ended.set()
        self.join()


def broken_partitions(tables: Iterable[Path]) -> list[str]:
    """Partitions, of tables in these folders, whose current files don't hold the rows their manifest tells."""
    problems = []
    for folder in tables:
        for partition, pointer in read_pointers(folder).items():
            n_rows = sum(pq.read_metadata(folder / file).num_rows for file in pointer.files)
            if n_rows != pointer.manifest.n_rows:
                problems.append(f"{folder.name} {partition}: {n_rows} rows, expected {pointer.manifest.n_rows}")
    return problems


def kill_until_through(
    run: Callable[[], object],
    *,
    steps_before_kills: Iterable[int],
    monkeypatch: pytest.MonkeyPatch,
    steps: Iterable[tuple[type, str]] = FILE_STEPS,
    at_most: int = 40,
) -> int:
    """How often the run was killed before it got through.

    Each run starts from what the killed ones before it left and is killed before one of its first steps, so that the
    kills fall along the whole way.

    Args:
        run: what is run, each time in a child process.
        steps_before_kills: the number of the step before which the first, second, ... run is killed; then again.
        monkeypatch: of the test.
        steps: methods that count as steps.
        at_most: kills after which the test fails.
    """
    numbers, steps = list(steps_before_kills), list(steps)
    for n_kills in range(at_most):
        number = numbers[n_kills % len(numbers)]

        def killed_run(number: int = number) -> None:
            with _killed_before_step(number, steps, monkeypatch):
                run()

        if run_in_child(killed_run) == 0:
            return n_kills
    raise AssertionError(f"killed {at_most} times, the runs make no progress")


@contextmanager
def _killed_before_step(
    number: int, steps: Iterable[tuple[type, str]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """This process is killed before the step of that number."""
    n_done = 0

    def counting(step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            nonlocal n_done
            n_done += 1
            if n_done == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*arguments, **named)

        return counted

    with monkeypatch.context() as patch:
        # deltalake's threads don't survive a fork; what a killed run leaves undone there, the next one does.
        patch.setattr("jobs.publishing.publishing.update_delta_table", lambda *_: False)
        for owner, name in steps:
            patch.setattr(owner, name, counting(getattr(owner, name)))
        yield


def run_in_child(run: Callable[[], object]) -> int:
    """The signal that ended a child process in which the function ran; 0 where it got through."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed otherwise than by the signal"
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
