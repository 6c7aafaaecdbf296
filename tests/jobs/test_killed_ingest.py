"""An ingest killed with SIGKILL between any two steps leaves whole versions only, and can simply be run again."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from conf.paths import Lake
from conf.publication import read_pointers
from conf.tables import AVAILABILITY, EVENTS, EVENTS_REJECTED, ITEMS, SESSIONS
from tests.jobs.conftest import Ingest
from tests.jobs.shop_logs import DAYS, deliver_days

HORIZON = DAYS[1]
TABLES = [EVENTS, EVENTS_REJECTED, ITEMS, AVAILABILITY, SESSIONS]

# Each run is killed before one of its first steps (a file moved into place, a pointer backed up or swapped), starting
# from what the killed runs before it left, so that the kills fall along the whole way until one run gets through.
STEPS_BEFORE_KILLS = (2, 3, 4, 5)


class _Reader(threading.Thread):
    """Reads every pointer again and again, as another program would, and keeps what was not whole."""

    def __init__(self, lake: Lake) -> None:
        super().__init__()
        self.lake, self.n_read, self.problems = lake, 0, list[str]()
        self._has_ended = threading.Event()

    def run(self) -> None:
        while not self._has_ended.wait(0.02):
            self.problems += broken_partitions(self.lake)
            self.n_read += 1

    def end(self) -> None:
        self._has_ended.set()
        self.join()


def broken_partitions(lake: Lake) -> list[str]:
    """Partitions whose current files don't hold the rows their manifest tells."""
    problems = []
    for table in TABLES:
        folder = lake.table(table.name)
        for partition, pointer in read_pointers(folder).items():
            n_rows = sum(pq.read_metadata(folder / file).num_rows for file in pointer.files)
            if n_rows != pointer.manifest.n_rows:
                problems.append(f"{table.name} {partition}: {n_rows} rows, expected {pointer.manifest.n_rows}")
    return problems


@contextmanager
def _killed_before_step(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is killed before the step of that number: whatever moves or replaces a file."""
    n_done = 0

    def counting(step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            nonlocal n_done
            n_done += 1
            if n_done == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*arguments)

        return counted

    with monkeypatch.context() as patch:
        for name in ("rename", "replace", "hardlink_to"):
            patch.setattr(Path, name, counting(getattr(Path, name)))
        yield


def _run_in_child(run: Callable[[], object]) -> int:
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


@pytest.fixture(scope="module")
def undisturbed(ingest_into: Ingest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return ingest_into(folder / "home", HORIZON, deliver_days(folder / "logs", DAYS[:2]))


def test_killed_and_run_again_gives_the_same_digests(
    ingest_into: Ingest, undisturbed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it was killed, the run that gets through publishes what an undisturbed one does."""
    home, lake = tmp_path / "home", Lake(tmp_path / "home" / "lake", "canonical")
    logs = deliver_days(tmp_path / "logs", DAYS[:2])
    reader = _Reader(lake)
    reader.start()
    n_kills, is_through = 0, False
    while not is_through:

        def killed_run(steps: int = STEPS_BEFORE_KILLS[n_kills % 4]) -> None:
            with _killed_before_step(steps, monkeypatch):
                ingest_into(home, HORIZON, logs)

        is_through = _run_in_child(killed_run) == 0
        n_kills += not is_through
        assert n_kills < 40, "the killed runs make no progress"
    reader.end()
    result = ingest_into(home, HORIZON, logs)
    assert result["digests"] == undisturbed["digests"]
    assert reader.problems == []
    assert reader.n_read > n_kills > 5
    assert list(lake.folder.rglob("_staging/*")) == []
