"""A process that was started with a lower priority says so, and how to raise it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conf.settings import PROJECT_ROOT

CODE = "from conf.priority import lowered_priority; print(lowered_priority())"


@pytest.mark.parametrize("more", [0, 3])
def test_a_lowered_priority_is_told_with_its_cure(more: int) -> None:
    """Of the process itself, whatever these tests were started with."""
    ended = subprocess.run(
        [sys.executable, "-c", f"import os; nice = os.nice({more}); {CODE}; print(nice, os.getpid())"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told, values = ended.stdout.splitlines()
    nice, process = map(int, values.split())
    expected = f"runs at nice {nice}," if nice > 0 else "None"
    assert told.startswith(expected)
    assert (f"sudo renice -n 0 -p {process}" in told) == (nice > 0)
