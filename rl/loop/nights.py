"""A night after a day of the loop: the pipeline's own commands, in one process and one Spark session."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from conf.paths import Run
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.figures.night import NightFigures
from rl.figures.values import Gain, Spread
from rl.learning.candidates import seeded_candidates
from rl.loop.spark_jobs import SparkJobs
from rl.loop.state import RunNight
from rl.registry.promises import evaluation_of_version
from rl.registry.store import open_store
from rl.registry.versions import load_version

Command = Callable[..., dict[str, Any]]
SECONDS_FOLDER = "nights"
"""Beside the shop's logs: how long each night's steps took."""


@dataclass
class Nights:
    """Runs nights.

    Attributes:
        settings: of the loop's home.
        pipeline: the scenario on the source.
        jobs: Spark's side.
        commands: `prepare`, `train`, `evaluate`, `register`, `promote`, `decide`, `rollout` and `monitor`, as
            `python -m rl` runs them.
        logs: folder of the shop's deliveries.
        say: tells of a step that ended, with its seconds.
    """

    settings: Settings
    pipeline: Pipeline
    jobs: SparkJobs
    commands: Mapping[str, Command]
    logs: Path
    say: Callable[[str, float], None]
    _seconds: NightClock = field(init=False)

    def run(self, day: date) -> RunNight:
        """Run the night of the day, and publish what the next day is decided with."""
        self._seconds = NightClock(self.logs.parent / SECONDS_FOLDER / f"{day}.json")
        source, scenario = self.pipeline.source.name, self.pipeline.scenario.name
        where = [f"--source={source}", f"--date={day}"]
        self._job("ingest", [*where, f"--logs={self.logs}", f"--scenario={scenario}"])
        self._job("build", [*where, f"--scenario={scenario}"])
        watched = self._watched(day)
        night = self._learned(day)
        if self.pipeline.scenario.clock != "sku_day":
            tomorrow = day + timedelta(days=1)
            self._job("observe", [f"--source={source}", f"--scenario={scenario}", f"--as-of={tomorrow}"])
        if self.pipeline.scenario.clock != "session_step":
            watched["listed_by"] = self._command("decide", day, version=None, budget=None).get("version")
        return night.model_copy(update=watched | {"seconds": self._seconds.by_step})

    def _watched(self, day: date) -> dict[str, object]:
        """Look at what is served: how far it is rolled out, and what it earned beside what was promised."""
        scenario, found = self.pipeline.scenario, dict[str, object]()
        if scenario.request_problem:
            return found
        if scenario.rollout is not None:
            look = self._command("rollout", day)
            found["rollout"] = None if "skipped" in look else f"{look['decision']}, {look['share']:.0%} from now on"
        seen = self._command("monitor", day)
        if "skipped" not in seen:
            earned = seen["earned"]
            found |= {
                "promised": seen["promised"],
                "earned": None if earned is None else Spread(**earned),
                "alerts": tuple(seen["alerts"]),
            }
        return found

    def _learned(self, day: date) -> RunNight:
        prepared = self._command("prepare", day)
        if "skipped" in prepared:
            return RunNight(date=day, verdict="abstain")
        orders = self.pipeline.scenario.orders
        for name in seeded_candidates(self.pipeline.scenario) if orders is None else orders.candidate_names:
            self._command("train", day, candidate=name)
        self._command("evaluate", day)
        registration = self._command("register", day)
        figures = self._registered(day, int(registration["version"]))
        is_promoted = False
        if registration["verdict"] == "promote":
            promotion = self._command("promote", day, version=int(registration["version"]))
            is_promoted = "skipped" not in promotion
        night = RunNight(
            date=day,
            verdict=registration["verdict"],
            version=int(registration["version"]),
            compared_with=registration["compared_with"],
            is_promoted=is_promoted,
        )
        return night if figures is None else night.model_copy(update=_judged(figures))

    def _registered(self, day: date, number: int) -> NightFigures | None:
        """Return the evaluation that the night's version was registered with; None where it is gone.

        A night that is run again after a promotion is evaluated against its own version: the run folder tells of that.
        """
        with open_store(self.settings) as client:
            version = load_version(client, f"{self.pipeline.scenario.name}-policy", number)
            return None if version is None else evaluation_of_version(client, version, self._paths(day).evaluation)

    def _paths(self, day: date) -> Run:
        return Run(self.settings.home, self.pipeline.source.name, self.pipeline.scenario.name, day)

    def _job(self, name: str, arguments: list[str]) -> None:
        started = time.perf_counter()
        self.jobs.run([name, *arguments])
        self._tell(name, started, "")

    def _command(self, name: str, day: date, **more: object) -> dict[str, Any]:
        started = time.perf_counter()
        where = {"source": self.pipeline.source.name, "scenario": self.pipeline.scenario.name, "run_date": day}
        result = self.commands[name](settings=self.settings, **where, **more)
        self._tell(name, started, str(more.get("candidate", "")))
        return result

    def _tell(self, name: str, started: float, of: str) -> None:
        seconds = time.perf_counter() - started
        self._seconds.keep(name, of, seconds)
        self.say(name, seconds)


class NightClock:
    """How long each step of a night took, kept in a file as it ends: a night that is run again finds most work done."""

    def __init__(self, path: Path) -> None:
        """Begin with what an interrupted try of the night has kept in the file."""
        self._path = path
        self._longest: dict[str, dict[str, float]] = (
            json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        )

    def keep(self, step: str, of: str, seconds: float) -> None:
        """Keep the longest time of a step; `of` tells calls of one step apart, such as the candidates of training."""
        calls = self._longest.setdefault(step, {})
        calls[of] = max(round(seconds, 2), calls.get(of, 0.0))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, json.dumps(self._longest))

    @property
    def by_step(self) -> dict[str, float]:
        """Seconds by step, all its calls together."""
        return {step: round(sum(calls.values()), 2) for step, calls in self._longest.items()}


def _judged(figures: NightFigures) -> dict[str, object]:
    """Return what an evaluation said of its candidate, and what is true."""
    gain = figures.gain
    return {
        "gain": _spread(gain),
        "gain_level": None if gain is None else 2 * gain.level - 1,
        "interval": None if gain is None else gain.interval,
        "true_gain": true_gain(figures),
        "true_baseline": _true_baseline(figures),
    }


def _spread(gain: Gain | None) -> Spread | None:
    if gain is None or gain.value is None or gain.lower is None or gain.upper is None:
        return None
    return Spread(value=gain.value, lower=gain.lower, upper=gain.upper)


def true_gain(figures: NightFigures) -> float | None:
    """Return the candidate's true gain over what it was compared with; None where a true value isn't known."""
    baseline, candidate = _true_baseline(figures), figures.truth.get(figures.selected.name)
    return None if candidate is None or baseline is None else candidate.value - baseline


def _true_baseline(figures: NightFigures) -> float | None:
    """Return the true value of what the candidate was compared with."""
    role = "behavior" if figures.compared_with == "behavior" else "champion"
    return next((one.value for name, one in figures.truth.items() if figures.role(name) == role), None)
