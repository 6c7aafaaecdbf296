"""Decisions are on disk before anybody learns of them, whatever happens to the process or the disk."""

from __future__ import annotations

import os
import random
import resource
import signal
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import date
from pathlib import Path

import pytest

from rl.errors import DecisionLogError
from rl.serving.decision_log import DecisionLog, logged_lines

DAY, NEXT = date(2026, 3, 30), date(2026, 3, 31)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[DecisionLog]:
    found = DecisionLog(tmp_path / "decisions")
    yield found
    found.close()


def written(future: Future[None]) -> bool:
    """Whether the lines were said to be written."""
    try:
        future.result(timeout=60)
    except DecisionLogError:
        return False
    return True


def test_lines_stand_in_the_file_of_their_day(log: DecisionLog) -> None:
    """In the order in which they came, whichever day they are of; files are the owner's alone."""
    for day, lines in ((DAY, ["a", "b"]), (NEXT, ["c"]), (DAY, ["d"])):
        assert written(log.append(day, lines))
    assert list(logged_lines(log.folder, DAY)) == ["a", "b", "d"]
    assert list(logged_lines(log.folder, NEXT)) == ["c"]
    assert list(logged_lines(log.folder, date(2026, 4, 1))) == []
    assert {stat.S_IMODE(path.stat().st_mode) for path in log.folder.glob("*.jsonl")} == {0o600}


def test_nothing_is_said_to_be_written_before_it_is_synced(log: DecisionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the disk has not answered, neither does the log."""
    may_go_on = threading.Event()
    sync = os.fsync

    def slow(descriptor: int) -> None:
        may_go_on.wait(60)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    future = log.append(DAY, ["a"])
    while "a" not in list(logged_lines(log.folder, DAY)) and not may_go_on.is_set():
        if not list(log.folder.glob("*.jsonl")):
            continue
        assert not future.done()
        may_go_on.set()
    assert written(future)


def test_what_waits_is_synced_together(log: DecisionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand lines that came while the disk was busy need few more syncs."""
    assert written(log.append(DAY, ["first"]))
    n_syncs, sync = 0, os.fsync

    def counting(descriptor: int) -> None:
        nonlocal n_syncs
        n_syncs += 1
        time.sleep(0.02)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", counting)
    futures = [log.append(DAY, [str(number)]) for number in range(1_000)]
    assert all(map(written, futures))
    assert n_syncs < 100
    assert list(logged_lines(log.folder, DAY)) == ["first", *map(str, range(1_000))]


def test_a_second_service_may_not_write_the_same_log(log: DecisionLog) -> None:
    with pytest.raises(DecisionLogError, match="another service writes its decisions here"):
        DecisionLog(log.folder)


def test_a_folder_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DecisionLogError, match="decisions can't be written here"):
        DecisionLog(tmp_path / "file" / "decisions")


def test_an_unfinished_line_is_removed_at_the_start(tmp_path: Path) -> None:
    """A killed service can have left one; it was never answered."""
    (tmp_path / f"decisions-{DAY}.jsonl").write_bytes(b"a\nb\nhalf a li")
    (tmp_path / f"decisions-{NEXT}.jsonl").write_bytes(b"half")
    log = DecisionLog(tmp_path)
    assert written(log.append(DAY, ["c"]))
    log.close()
    assert (tmp_path / f"decisions-{DAY}.jsonl").read_bytes() == b"a\nb\nc\n"
    assert (tmp_path / f"decisions-{NEXT}.jsonl").read_bytes() == b""


def test_a_full_disk_takes_back_what_it_did_not_take_whole(log: DecisionLog) -> None:
    """The process may write no file beyond a size, as on a full disk; afterwards it may again, and goes on."""
    assert written(log.append(DAY, ["a" * 1_000]))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500, limits[1]))
    try:
        assert written(log.append(DAY, ["b" * 100]))
        assert not written(log.append(DAY, ["c" * 1_000]))
        assert f"decisions-{DAY}.jsonl: decisions can't be written (File too large)" in log.problem
        assert not written(log.append(DAY, ["d" * 1_000]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    log.probe()
    assert written(log.append(DAY, ["e"]))
    assert log.problem == ""
    assert list(logged_lines(log.folder, DAY)) == ["a" * 1_000, "b" * 100, "e"]


def test_a_failed_sync_is_no_decision(log: DecisionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stood in the file before stays, what didn't reach the disk goes, at the latest before the next line."""
    assert written(log.append(DAY, ["a"]))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _failing)
        patch.setattr(os, "ftruncate", _failing)
        assert not written(log.append(DAY, ["b"]))
    assert written(log.append(DAY, ["c"]))
    assert list(logged_lines(log.folder, DAY)) == ["a", "c"]


def _failing(*_: object) -> None:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("how", ["unlink", "rename", "replace"])
def test_a_log_that_is_taken_away_stops_the_decisions(log: DecisionLog, how: str) -> None:
    """Lines in a file that no path leads to would be lost: a person has to see to it."""
    path = log.folder / f"decisions-{DAY}.jsonl"
    assert written(log.append(DAY, ["a"]))
    if how == "unlink":
        path.unlink()
    else:
        path.rename(path.with_name("taken.jsonl"))
        if how == "replace":
            path.write_text("a\n")
    for _ in range(2):
        assert not written(log.append(DAY, ["b"]))
        assert "removed or replaced while it was written; start the service anew" in log.problem


def test_every_line_that_was_said_to_be_written_survives_kills(tmp_path: Path) -> None:
    """Twenty processes are killed while several threads write; the next one goes on in the same file."""
    told: list[str] = []
    chance = random.Random(1)
    for run in range(20):
        told += _killed_writer(tmp_path, run, seconds=0.05 + 0.1 * chance.random())
    DecisionLog(tmp_path).close()
    counts = Counter(logged_lines(tmp_path, DAY))
    assert len(told) > 100
    assert {line: counts[line] for line in told} == dict.fromkeys(told, 1)
    assert max(counts.values()) == 1
    assert all(line.count("|") == 2 for line in counts)


def _killed_writer(folder: Path, run: int, *, seconds: float) -> list[str]:
    """The lines that a process was told are written before it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        log = DecisionLog(folder)

        def write(thread: int) -> None:
            for number in range(1_000_000):
                line = f"{run}|{thread}|{number} {'x' * 200}"
                log.append(DAY, [line]).result()
                os.write(writing, f"{line}\n".encode())

        for thread in range(4):
            threading.Thread(target=write, args=(thread,), daemon=True).start()
        time.sleep(60)
        os._exit(1)
    os.close(writing)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        return [line.decode() for line in pipe.read().split(b"\n")[:-1]]
