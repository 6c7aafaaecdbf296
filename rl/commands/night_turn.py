"""A command's turn in its night: no other run computes the same night meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import date

import structlog

from conf.night_lock import own_candidate, own_turn
from conf.paths import Run
from conf.settings import Settings
from conf.specs.scenario import load_pipeline

# Those that write into the night's run folder, or move its version; others read what is published.
_STEPS = ("prepare", "train", "evaluate", "register", "promote")


def own_turn_of(command: str, settings: Settings, arguments: Mapping[str, object]) -> AbstractContextManager[None]:
    """Hold the turn of a command that computes a night; other commands need none.

    Raises:
        SpecError: there is no such scenario or source; nothing is made in their name.
    """
    if command not in _STEPS:
        return nullcontext()
    run = _night(settings, arguments)
    load_pipeline(run.scenario, run.source)
    return own_turn(run, f"rl {command}", _say, night=settings.night, is_side_by_side=command == "train")


def own_candidate_of(run: Run, candidate: str) -> AbstractContextManager[None]:
    """Hold a candidate of the night while it is trained."""
    return own_candidate(run, candidate, _say)


def _night(settings: Settings, arguments: Mapping[str, object]) -> Run:
    run_date = arguments["run_date"]
    if not isinstance(run_date, date):
        raise TypeError(f"run_date is {run_date!r}; expected a date")
    return Run(settings.home, str(arguments["source"]), str(arguments["scenario"]), run_date)


def _say(line: str) -> None:
    structlog.get_logger().warning("waiting", why=line)
