"""A log larger than the memory that training may take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.rl.learning.limited_memory_training import N_BYTES, learned, whole

PROJECT = Path(__file__).parents[3]


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process's memory are Linux's")
def test_a_log_larger_than_the_memory_allowed_is_learned_from(tmp_path: Path) -> None:
    """Where the system refuses the log's features as a whole, files give the weights that memory would."""
    allowed = N_BYTES // 2
    ended = subprocess.run(
        [sys.executable, "-m", "tests.rl.learning.limited_memory_training", str(tmp_path / "store"), str(allowed)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert ended.stdout.splitlines()[-2:] == [learned(whole()), "the whole doesn't fit"]
