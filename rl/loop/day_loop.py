"""A loop of any shop: it lives a day, its night runs, and what was promoted decides on the next day."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from conf.paths import simulated_shop
from conf.publication import write_atomically
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.errors import LoopError
from rl.figures.loop import LoopFigures
from rl.loop.nights import Nights
from rl.loop.state import LivedDay, LoopState, RunNight, state_of

STATE_FILE = "loop.json"

Tell = Callable[[str], None]


@dataclass
class DayLoop(ABC):
    """A loop in one home.

    Attributes:
        settings: of the loop's home.
        pipeline: the scenario on the source.
        state: how far it has come.
        nights: runs them.
        tell: says what happened, a line each.
    """

    settings: Settings
    pipeline: Pipeline
    state: LoopState
    nights: Nights
    tell: Tell

    @property
    def folder(self) -> Path:
        """Folder of the shop: its settings, its life and its logs."""
        return simulated_shop(self.settings.home, self.pipeline.source.name)

    @property
    def is_served(self) -> bool:
        """Whether any night has promoted a version so far."""
        return any(night.is_promoted for night in self.state.nights)

    @property
    def listing_version(self) -> int | None:
        """The version whose list was published last, or that was promoted since, where no list was due; None: none."""
        for night in reversed(self.state.nights):
            if night.listed_by is not None:
                return night.listed_by
            if night.is_promoted:
                return night.version
        return None

    def run(self) -> LoopState:
        """Live every day and run every night that is still to come; return the loop as it stands then."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.open_shop()
        for number in range(self.state.n_past + self.state.n_days):
            if len(self.state.days) <= number:
                self._keep(days=(*self.state.days, self._lived(number)))
            day = self.state.days[number].date
            if number >= self.state.n_past - 1 and not any(night.date == day for night in self.state.nights):
                night = self.nights.run(day)
                self._keep(nights=(*self.state.nights, night))
                self.tell(_told(number - self.state.n_past + 1, night))
        return self.state

    @abstractmethod
    def open_shop(self) -> None:
        """Write what the nights know of the shop, before its first day."""

    @abstractmethod
    def lived_before(self, number: int) -> bool:
        """Return whether a try that was interrupted has lived and delivered the day."""

    @abstractmethod
    def live(self, number: int) -> LivedDay:
        """Live the day from where the last one ended, whatever an interrupted try left of it, and deliver it.

        `keep_day` must be called before the life that the day leads to is kept.
        """

    @abstractmethod
    def figures(self) -> LoopFigures:
        """Return what came of the loop."""

    def keep_day(self, day: LivedDay) -> None:
        """Keep who decided on the day, for a loop that is interrupted before it has noted the day."""
        path = self._day_file(day.date)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, day.model_dump_json())

    @abstractmethod
    def date_of(self, number: int) -> date:
        """Return the date of a day of the loop."""

    def _lived(self, number: int) -> LivedDay:
        if self.lived_before(number):
            return LivedDay.model_validate_json(self._day_file(self.date_of(number)).read_text(encoding="utf-8"))
        return self.live(number)

    def _day_file(self, day: date) -> Path:
        return self.folder / "days" / f"{day}.json"

    def _keep(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)
        self.state.save(self.folder / STATE_FILE)


def begun(settings: Settings, pipeline: Pipeline, *, seed: int, n_past: int, n_days: int) -> LoopState:
    """Return the loop that stands in the home, or a new one.

    Raises:
        LoopError: another loop stands there.
    """
    new = LoopState(scenario=pipeline.scenario.name, seed=seed, n_past=n_past, n_days=n_days)
    own = simulated_shop(settings.home, pipeline.source.name) / STATE_FILE
    for other in sorted(own.parent.parent.glob(f"*/{STATE_FILE}")):
        if other != own:
            raise LoopError(
                f"{other}: a loop of source {other.parent.name} stands in this home, and this one is of "
                f"{pipeline.source.name}; remove {settings.home} to begin anew"
            )
    return state_of(own, new)


def _told(number: int, night: RunNight) -> str:
    """Return the line that tells of a night."""
    gain, bound = night.interval or night.gain, night.gain
    found = "" if gain is None else f", {gain.value:+.3f} ({gain.lower:+.3f} to {gain.upper:+.3f})"
    if night.interval is not None and bound is not None:
        found += f", the gate's bound {bound.lower:+.3f}"
    truth = "" if night.true_gain is None else f", true {night.true_gain:+.3f}"
    promoted = ", champion from tomorrow" if night.is_promoted else ""
    seconds = sum(night.seconds.values())
    return f"night {number} ({night.date}): {night.verdict}{found}{truth}{promoted}; {seconds:.0f} s"
