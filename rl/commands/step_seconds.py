"""How long each step of a night took, kept in its run folder, so that a night that becomes slower is seen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import structlog

from conf.paths import Run
from conf.publication import write_atomically

Command = Callable[..., dict[str, Any]]
_STEPS = ("prepare", "train", "evaluate", "register", "decide", "monitor")


def timed(name: str, run: Command) -> Command:
    """Return the command, which keeps how long it took where it is a step of a night; any other is returned as it is.

    What it skips or fails at isn't kept.

    Args:
        name: of the command's module.
        run: the command; its arguments name settings, source, scenario and date.
    """
    if name not in _STEPS:
        return run

    def timed_run(**arguments: Any) -> dict[str, Any]:
        began = time.monotonic()
        result = run(**arguments)
        if result and "skipped" not in result:  # of several processes one alone has a result
            took, path = time.monotonic() - began, _place(name, arguments)
            try:
                _note(path, took)
            except OSError as error:  # the step's work is done
                structlog.get_logger().warning("how long it took isn't kept", step=name, reason=str(error))
        return result

    return timed_run


def _place(name: str, arguments: Mapping[str, Any]) -> Path:
    night: date = arguments["run_date"]
    run = Run(arguments["settings"].home, arguments["source"], arguments["scenario"], night)
    candidate = arguments.get("candidate")
    return run.seconds(f"{name}-{candidate}" if candidate else name)


def _note(path: Path, seconds: float) -> None:
    """Keep the longest time of a step: a night that is repeated finds most of its work done, and is short for that."""
    longest = max(round(seconds, 3), _known(path))
    told = {"seconds": longest, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    write_atomically(path, json.dumps(told))


def _known(path: Path) -> float:
    """Return the seconds that the file holds; 0 where there is none, or it holds none."""
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
