"""`retrain`: one training on what a backfill made anew, up to the entry in the registry; nothing is promoted."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import structlog

from conf.night_lock import whole_night
from conf.paths import Run
from conf.settings import Settings
from rl.commands import evaluate, prepare, register, train
from rl.commands.step_seconds import timed

log = structlog.get_logger()


def run(*, settings: Settings, source: str, scenario: str, run_date: date) -> dict[str, Any]:
    """Prepare, train, evaluate and register the night of the date, and return what `register` does, with seconds.

    The steps are those of a night, and the night is held for all of them. Where there is rightly nothing to learn the
    result says so as that of `prepare` does.

    Raises:
        NightcartError: what a step raises.
    """
    started = time.monotonic()
    night = Run(settings.home, source, scenario, run_date)
    where: dict[str, Any] = {"settings": settings, "source": source, "scenario": scenario, "run_date": run_date}
    with whole_night(night, "rl retrain", lambda line: log.warning("waiting", why=line)):
        prepared = timed("prepare", prepare.run)(**where)
        if "skipped" in prepared:
            return prepared
        for name in prepared["candidates"]:
            log.info("retraining", candidate=name)
            timed("train", train.run)(**where, candidate=name)
        timed("evaluate", evaluate.run)(**where)
        return timed("register", register.run)(**where) | {"seconds": round(time.monotonic() - started, 1)}
