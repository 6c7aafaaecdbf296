"""The loop of the shop of sessions: it lives a day, its night runs, and what was promoted decides on the next day."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from conf.paths import simulated_shop
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.loop.nights import Nights
from rl.loop.served_decisions import ServedDecisions, service_in_process
from rl.loop.state import LivedDay, LoopState, RunNight, state_of
from rl.shops.recommendation.life_delivery import deliver_last_day
from rl.shops.recommendation.own_decisions import OwnDecisions
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_life import Decider, ShopLife
from rl.shops.recommendation.shop_settings import SHOP_FILE, ShopSettings
from rl.shops.settings_file import changed_settings

STATE_FILE, LIFE_FILE = "loop.json", "life.json"

Tell = Callable[[str], None]


@dataclass
class SessionLoop:
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
    def shop_settings(self) -> ShopSettings:
        """The shop's settings: as many days as the loop has, and one more to end on."""
        n_days = self.state.n_past + self.state.n_days + 1
        return changed_settings(ShopSettings(), seed=self.state.seed, n_days=n_days)

    @property
    def folder(self) -> Path:
        """Folder of the shop: its settings, its life and its logs."""
        return simulated_shop(self.settings.home, self.pipeline.source.name)

    def run(self) -> LoopState:
        """Live every day and run every night that is still to come; return the loop as it stands then."""
        shop = build_shop(self.shop_settings)
        self.folder.mkdir(parents=True, exist_ok=True)
        SHOP_FILE.save(self.shop_settings, self.folder)
        last = self.state.n_past + self.state.n_days
        for number in range(last):
            day = shop.calendar.date(number)
            if len(self.state.days) <= number:
                self._keep(days=(*self.state.days, self._lived(shop, number)))
            if number >= self.state.n_past - 1 and not any(night.date == day for night in self.state.nights):
                night = self.nights.run(day)
                self._keep(nights=(*self.state.nights, night))
                self.tell(_told(number - self.state.n_past + 1, night))
        return self.state

    def _lived(self, shop: Shop, number: int) -> LivedDay:
        """Live the day from where the last one ended, whatever an interrupted try left of it."""
        day = shop.calendar.date(number)
        life = ShopLife.resumed(shop, self.folder / LIFE_FILE)
        if life.day > number:  # its delivery was written, and the state wasn't
            return self._known_day(day)
        folder = self.nights.logs / str(day)
        shutil.rmtree(folder, ignore_errors=True)
        with self._decider(shop, number, folder) as (decide, lived):
            life.live(decide)
        deliver_last_day(life, self.nights.logs)
        lived.save_in(self.folder / "days")
        life.save(self.folder / LIFE_FILE)
        return lived.day

    @contextmanager
    def _decider(self, shop: Shop, number: int, folder: Path) -> Iterator[tuple[Decider, _Lived]]:
        """Open who decides on the day: the service once there is a champion, the shop's own rule before."""
        day = shop.calendar.date(number)
        if not any(night.is_promoted for night in self.state.nights):
            yield OwnDecisions(shop, number), _Lived(LivedDay(date=day))
            return
        seed = self.state.seed * 1_000 + number
        with service_in_process(self.settings, self.pipeline, folder, seed=seed) as served:
            lived = LivedDay(date=day, version=served.version, policy_version=served.policy_version)
            yield ServedDecisions(shop, number, served), _Lived(lived)

    def _known_day(self, day: date) -> LivedDay:
        path = self.folder / "days" / f"{day}.json"
        return LivedDay.model_validate_json(path.read_text(encoding="utf-8"))

    def _keep(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)
        self.state.save(self.folder / STATE_FILE)


@dataclass(frozen=True)
class _Lived:
    """A day with who decided on it, kept before the life that it leads to."""

    day: LivedDay

    def save_in(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.day.date}.json").write_text(self.day.model_dump_json(), encoding="utf-8")


def begun(settings: Settings, pipeline: Pipeline, *, seed: int, n_past: int, n_days: int) -> LoopState:
    """Return the loop that stands in the home, or a new one."""
    new = LoopState(scenario=pipeline.scenario.name, seed=seed, n_past=n_past, n_days=n_days)
    return state_of(simulated_shop(settings.home, pipeline.source.name) / STATE_FILE, new)


def _told(number: int, night: RunNight) -> str:
    """Return the line that tells of a night."""
    gain = night.gain
    found = "" if gain is None else f", {gain.value:+.3f} ({gain.lower:+.3f} to {gain.upper:+.3f})"
    truth = "" if night.true_gain is None else f", true {night.true_gain:+.3f}"
    promoted = ", champion from tomorrow" if night.is_promoted else ""
    return (
        f"night {number} ({night.date}): {night.verdict}{found}{truth}{promoted}; {sum(night.seconds.values()):.0f} s"
    )
