"""Staging folders: gone after use, and cleaned up behind publishers that died."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conf.abandoned import ABANDONED_AFTER_SECONDS
from jobs.publishing.staging import staging_folder


def _dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_folder_is_gone_after_an_error(tmp_path: Path) -> None:
    """Whatever happens inside, nothing stays behind."""
    with pytest.raises(RuntimeError), staging_folder(tmp_path) as folder:
        (folder / "part").write_text("rows")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_next_publisher_removes_what_a_dead_process_left(tmp_path: Path) -> None:
    """A publisher that was killed can't clean up: the next one does."""
    host = os.uname().nodename
    left = tmp_path / f"{host}~{_dead_pid()}~a"
    (left / "below").mkdir(parents=True)
    with staging_folder(tmp_path):
        assert not left.exists()


def test_folder_of_a_living_process_stays(tmp_path: Path) -> None:
    """Publishers of other partitions may be at work beside this one."""
    with staging_folder(tmp_path) as first, staging_folder(tmp_path):
        assert first.is_dir()


def test_folder_of_another_machine_stays_for_a_day(tmp_path: Path) -> None:
    """Whether its process lives can't be seen from here, so only age tells."""
    young, old = tmp_path / "elsewhere~1~a", tmp_path / "elsewhere~1~b"
    young.mkdir()
    old.mkdir()
    past = old.stat().st_mtime - ABANDONED_AFTER_SECONDS - 60
    os.utime(old, (past, past))
    with staging_folder(tmp_path):
        assert (young.exists(), old.exists()) == (True, False)
