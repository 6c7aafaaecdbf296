"""`loop`: days and nights of a simulated shop whose service serves what its nights promote."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from conf.paths import simulated_shop
from conf.private_home import keep_private
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.scenario import load_pipeline
from rl.commands import decide, evaluate, monitor, prepare, promote, register, rollout, train
from rl.commands.step_seconds import timed
from rl.errors import LoopError
from rl.loop.day_loop import DayLoop, begun
from rl.loop.nights import Command, Nights
from rl.loop.order_loop import OrderLoop
from rl.loop.session_loop import SessionLoop
from rl.loop.spark_jobs import SparkJobs
from rl.loop.week_loop import WeekLoop
from rl.page.loop_page import render_loop_page


@dataclass(frozen=True)
class Loop:
    """How a scenario's loop is run.

    Attributes:
        source: of the shop's deliveries.
        of: its days.
        n_past: days (weeks, where decisions are weekly) before the first night, unless asked otherwise.
    """

    source: str
    of: type[DayLoop]
    n_past: int


LOOPS = {
    "recommendation": Loop("served_shop", SessionLoop, 10),
    "promotion": Loop("served_promotion", WeekLoop, 52),
    "inventory": Loop("simulated_inventory", OrderLoop, 182),
}
_OWN = (
    "NIGHTCART_HOME",
    "NIGHTCART_LAKE",
    "NIGHTCART_LAKE_STORE",
    "NIGHTCART_MLFLOW_URI",
    "NIGHTCART_SOURCE",
    "NIGHTCART_LOGS",
)


def run(*, settings: Settings, scenario: str, seed: int, n_days: int, n_past: int | None) -> dict[str, Any]:
    """Run the loop to its end, or on from where it stopped; return what came of it.

    It has a home of its own below the given one, so that no other registry or lake is touched.

    Raises:
        LoopError: no shop of that scenario lives day by day, or another loop stands in the folder.
    """
    if scenario not in LOOPS:
        raise LoopError(f"no loop of {scenario!r}; there are loops of {', '.join(sorted(LOOPS))}")
    kind = LOOPS[scenario]
    home = settings.home / "loops" / f"{scenario}-{seed}"
    environment = {name: value for name, value in os.environ.items() if name not in _OWN}
    environment["NIGHTCART_HOME"] = str(home)
    own = Settings.from_environment(environment)
    keep_private(own)
    pipeline = load_pipeline(scenario, kind.source)
    state = begun(own, pipeline, seed=seed, n_past=n_past or kind.n_past, n_days=n_days)
    log = structlog.get_logger()
    with SparkJobs(own.home / "logs" / "loop-spark.log", environment) as jobs:
        nights = Nights(
            own,
            pipeline,
            jobs,
            {name: timed(name, run) for name, run in _COMMANDS.items()},
            simulated_shop(own.home, kind.source) / "logs",
            lambda step, took: log.info(step, seconds=took),
        )
        loop = kind.of(own, pipeline, state, nights, tell=log.info)
        loop.run()
    figures = loop.figures()
    write_atomically(home / "loop.json", figures.model_dump_json(indent=1) + "\n")
    write_atomically(home / "loop.html", render_loop_page(figures))
    seconds = figures.seconds_a_night
    return {
        "scenario": scenario,
        "source": kind.source,
        "seed": seed,
        "n_nights": len(figures.nights),
        "promoted": [night.version for night in figures.promoted],
        "final_gain": None if figures.final_gain is None else figures.final_gain.model_dump(),
        "worse": list(figures.worse),
        "untold": list(figures.untold),
        "intervals": {"level": figures.level, **figures.held.model_dump()},
        "bounds_as_judged": figures.held_as_judged.model_dump(),
        "seconds_a_night": None if seconds is None else seconds.model_dump(mode="json"),
        "page": str(home / "loop.html"),
    }


_COMMANDS: Mapping[str, Command] = {
    "prepare": prepare.run,
    "train": train.run,
    "evaluate": evaluate.run,
    "register": register.run,
    "promote": promote.run,
    "decide": decide.run,
    "rollout": rollout.run,
    "monitor": monitor.run,
}
