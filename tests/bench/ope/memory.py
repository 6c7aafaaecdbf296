"""Seconds and peak memory of estimating from ten million steps, each set of estimators in a process of its own.

`ratio` is data and all that estimating added to it at its worst moment, over the data: 2 means once more the data. Rows
hold 50 actions' worth of choices and 8 features; probabilities for all rows and actions alone would be 4 GB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

N_ROWS = 10_000_000
TASKS = ("weighted", "doubly robust, linear Q", "all of a night's")
_ROOT = Path(__file__).resolve().parents[2]


def lines(n_rows: int = N_ROWS) -> Iterator[dict[str, Any]]:
    """A line for each set of estimators."""
    if not sys.platform.startswith("linux"):
        yield {"bench": "ope_memory", "measured": False, "why": "peak memory is read from Linux's /proc"}
        return
    for task in TASKS:
        yield {"bench": "ope_memory", **_measured(task, n_rows)}


def _measured(task: str, n_rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bench.ope.memory_task", task, str(n_rows)]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    done = subprocess.run(command, cwd=_ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    for line in lines(int(sys.argv[1]) if len(sys.argv) > 1 else N_ROWS):
        print(json.dumps(line), flush=True)
