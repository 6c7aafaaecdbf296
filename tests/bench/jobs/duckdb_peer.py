"""DuckDB in a Python of its own: `make bench-jobs` makes the environment from the requirements beside this module."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from conf.kernel.arrays import MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE
from conf.kernel.calendar import day_number
from tests.bench.jobs.shop_log import FIRST
from tests.bench.jobs.shop_specs import GAP_MINUTES, HISTORY_DAYS, MAX_HOURS, WINDOW_HOURS, pipeline_of

VARIABLE = "NIGHTCART_DUCKDB_PYTHON"
THREADS, MEMORY_BYTES = 2, 8 << 30
_ROOT = Path(__file__).resolve().parents[3]


def peer_python() -> str | None:
    """Return the Python that has DuckDB; None where none is named."""
    return os.environ.get(VARIABLE) or None


def variables_of(form: str, *, first_day: int, n_days: int) -> dict[str, int]:
    """Return what the SQL is told: the pipeline's rules, and which days' sessions become transitions.

    Args:
        form: of the log.
        first_day: whose sessions become transitions first, counted from the log's first day.
        n_days: of the log; the last of them is the horizon.
    """
    first, last = day_number(FIRST + timedelta(days=first_day)), day_number(FIRST + timedelta(days=n_days - 1))
    return {
        "gap_us": GAP_MINUTES * MICROS_PER_MINUTE,
        "longest_us": MAX_HOURS * MICROS_PER_HOUR,
        "window_us": WINDOW_HOURS * MICROS_PER_HOUR,
        "history_days": HISTORY_DAYS,
        "max_steps": pipeline_of(form).scenario.episode.max_steps,
        "first_day": first,
        "last_day": last,
        "watermark_us": (last + 1) * MICROS_PER_DAY,
        "horizon_end_us": (last + 1) * MICROS_PER_DAY,
    }


def ask_peer(module: str, order: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a module of `tests.bench.jobs` prints in DuckDB's Python, given the order."""
    python = peer_python()
    assert python is not None
    done = subprocess.run(
        [python, "-m", f"tests.bench.jobs.{module}"],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        input=json.dumps(order),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
