"""Two homes count in one lake and are killed at random moments: no number is skipped, repeated or half there."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from conf.intact_files import damage_in
from conf.settings import PROJECT_ROOT, Settings
from conf.shared_lake.commit_log import CommitLog
from conf.shared_lake.following import follow_store
from conf.shared_lake.object_store import ObjectStore
from conf.tables import ITEMS
from tests.shared_lake.counting import DAYS, SOURCE, home, lake_of, pointers_of, values

_SHORT, _LONG = 6, 200


@pytest.mark.timeout(3600)
def test_two_homes_race_and_are_killed(s3: dict[str, str], tmp_path: Path) -> None:
    """`make test-faults` asks for two hundred kills, an ordinary run for a few."""
    n_kills = _LONG if os.environ.get("NIGHTCART_TEST_FAULT_KILLS") else _SHORT
    generator = random.Random(int(os.environ.get("NIGHTCART_TEST_FAULT_SEED") or 1))
    folders, watcher = [tmp_path / "first", tmp_path / "second"], home(tmp_path / "watcher")
    last = 0
    with _racing(folders, s3) as running:
        for _ in range(n_kills):
            last = _wait_for_more(watcher, last)
            time.sleep(generator.uniform(0, 0.2))
            folder = generator.choice(folders)
            running[folder].kill()
            running[folder].wait()
            running[folder] = _start(folder, s3)
    commits = CommitLog(ObjectStore("s3://lake/shops"), SOURCE).after(-1)
    assert len(commits) > n_kills
    for number, made in list(commits.items())[1:]:  # the first shared a home without tables
        assert [one.manifest.inputs["number"] for one in made.pointers.values()] == [str(number)] * len(DAYS)
    for folder in folders:
        follow_store(home(folder), SOURCE)
        assert values(home(folder)) == [max(commits)] * len(DAYS)


def _wait_for_more(watcher: Settings, last: int) -> int:
    """Follow until something was published, looking at all that is published; return the newest number."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        follow_store(watcher, SOURCE)
        first, second = values(watcher)
        assert first == second >= last
        folder = lake_of(watcher).table(ITEMS.name)
        assert not any(damage_in(folder, one.sums) for one in pointers_of(watcher).values())
        if first > last:
            return first
    pytest.fail(f"nothing was published after {last}")


@contextmanager
def _racing(folders: Sequence[Path], variables: dict[str, str]) -> Iterator[dict[Path, subprocess.Popen[bytes]]]:
    running = {folder: _start(folder, variables) for folder in folders}
    try:
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def _start(folder: Path, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.shared_lake.counting", str(folder)],
        cwd=PROJECT_ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
