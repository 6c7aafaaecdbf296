"""The loop of the shop of sessions, whose decisions the service makes once there is a champion."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path

from conf.paths import serving_folder
from rl.figures.loop import LoopFigures
from rl.loop.account import loop_figures, true_values
from rl.loop.day_loop import DayLoop
from rl.loop.served_decisions import ServedDecisions, service_in_process
from rl.loop.state import LivedDay
from rl.shops.recommendation.life_delivery import deliver_last_day
from rl.shops.recommendation.own_decisions import OwnDecisions
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_life import Decider, ShopLife
from rl.shops.recommendation.shop_settings import SHOP_FILE, ShopSettings
from rl.shops.settings_file import changed_settings

LIFE_FILE = "life.json"


class SessionLoop(DayLoop):
    """Days of sessions."""

    @property
    def shop_settings(self) -> ShopSettings:
        """The shop's settings: as many days as the loop has, and one more to end on."""
        n_days = self.state.n_past + self.state.n_days + 1
        return changed_settings(ShopSettings(), seed=self.state.seed, n_days=n_days)

    @cached_property
    def shop(self) -> Shop:
        """The shop."""
        return build_shop(self.shop_settings)

    def open_shop(self) -> None:
        """Write the shop's settings, by which nights play it."""
        SHOP_FILE.save(self.shop_settings, self.folder)

    def date_of(self, number: int) -> date:
        """Return the date of a day of the loop."""
        return self.shop.calendar.date(number)

    def lived_before(self, number: int) -> bool:
        """Return whether the kept life is past the day."""
        return ShopLife.resumed(self.shop, self.folder / LIFE_FILE).day > number

    def live(self, number: int) -> LivedDay:
        """Live the day, and deliver it."""
        life = ShopLife.resumed(self.shop, self.folder / LIFE_FILE)
        folder = self.nights.logs / str(self.date_of(number))
        shutil.rmtree(folder, ignore_errors=True)
        with self._decider(number, folder) as (decide, day):
            life.live(decide)
        deliver_last_day(life, self.nights.logs)
        self.keep_day(day)
        life.save(self.folder / LIFE_FILE)
        return day

    def figures(self) -> LoopFigures:
        """Return what came of the loop, in truth and by what was earned."""
        truths = true_values(self.settings, self.pipeline, self.shop_settings, self.state)
        own_rule = self.shop_settings.logging.policy_version
        return loop_figures(self.settings, self.pipeline, self.state, truths, own_rule=own_rule)

    @contextmanager
    def _decider(self, number: int, folder: Path) -> Iterator[tuple[Decider, LivedDay]]:
        """Open who decides on the day: the service once there is a champion, the shop's own rule before."""
        day = self.date_of(number)
        if not self.is_served:
            yield OwnDecisions(self.shop, number), LivedDay(date=day)
            return
        seed = self.state.seed * 1_000 + number
        with service_in_process(self.settings, self.pipeline, folder, seed=seed) as served:
            lived = LivedDay(date=day, version=served.version, policy_version=served.policy_version, share=served.share)
            yield ServedDecisions(self.shop, number, served), lived
        self._keep_log(folder)

    def _keep_log(self, folder: Path) -> None:
        """Keep the day's decision log where a service keeps it, for whoever watches what is served."""
        source, scenario = self.pipeline.source.name, self.pipeline.scenario.name
        kept = serving_folder(self.settings.home, source, scenario) / "decisions"
        kept.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("decisions-*.jsonl"):
            shutil.copyfile(path, kept / path.name)
