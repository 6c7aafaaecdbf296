"""The loop of the shop of weekly offers: each Monday's campaign is the list that the night before published.

A number counts weeks, and a week's day is its Sunday, after which its night runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from conf.paths import Lake
from conf.pseudonyms import pseudonym
from conf.publication import read_pointers, write_atomically
from rl.data.logged_episodes import FloatArray
from rl.errors import LoopError
from rl.figures.loop import LoopFigures
from rl.loop.account import paired_figures
from rl.loop.day_loop import DayLoop
from rl.loop.state import LivedDay
from rl.shops.promotion.feeds.feed_lines import shopper_ids
from rl.shops.promotion.promotion_settings import SHOP_FILE, PromotionSettings
from rl.shops.promotion.simulate import GivenWeek, Simulation, simulate
from rl.shops.promotion.week_calendar import DAYS_A_WEEK
from rl.shops.promotion.writer import deliver_days
from rl.shops.settings_file import changed_settings

LISTS_FOLDER = "lists"
N_SHOPPERS = 8_000
"""A night of a thousand can't tell gains of the size that there are (docs/simulated-shops.md)."""
_MILLIONTHS = 1_000_000


class WeekLoop(DayLoop):
    """Weeks of offers."""

    @property
    def shop_settings(self) -> PromotionSettings:
        """The shop's settings: as many weeks as the loop has."""
        n_weeks = self.state.n_past + self.state.n_days
        return changed_settings(PromotionSettings(), seed=self.state.seed, n_weeks=n_weeks, n_shoppers=N_SHOPPERS)

    def open_shop(self) -> None:
        """Write the shop's settings, by which nights play it, and all weeks before the first night."""
        if self.state.days:
            return
        deliver_days(self._own, range(self.state.n_past * DAYS_A_WEEK), self.nights.logs)
        SHOP_FILE.save(self.shop_settings, self.folder)

    def date_of(self, number: int) -> date:
        """Return the last day of a week."""
        return self.shop_settings.first_monday + timedelta(days=(number + 1) * DAYS_A_WEEK - 1)

    def lived_before(self, number: int) -> bool:
        """Return whether the week's list is kept, which it is once the week was delivered."""
        return number >= self.state.n_past and self._kept_file(number).exists()

    def live(self, number: int) -> LivedDay:
        """Send the week's list, live the week, and deliver its days."""
        day = self.date_of(number)
        if number < self.state.n_past:
            return LivedDay(date=day)
        listed, version = self._listed(day - timedelta(days=DAYS_A_WEEK - 1))
        given = self._given() | ({} if listed is None else {number: listed})
        first = number * DAYS_A_WEEK
        deliver_days(simulate(self.shop_settings, given), range(first, first + DAYS_A_WEEK), self.nights.logs)
        lived = LivedDay(date=day, version=version, policy_version=None if listed is None else listed.policy_version)
        self.keep_day(lived)
        self._keep_list(number, listed)
        return lived

    def figures(self) -> LoopFigures:
        """Return what each week earned, beside what the shop's own plan would have earned with the same shoppers."""
        lived, own = (earned_by_week(one) for one in (simulate(self.shop_settings, self._given()), self._own))
        return paired_figures(self.pipeline, self.state, lived, own, of="a week", gain_of="a shopper and block")

    @cached_property
    def _own(self) -> Simulation:
        """The shop's weeks as they would be by its own plan throughout."""
        return simulate(self.shop_settings)

    def _listed(self, monday: date) -> tuple[GivenWeek | None, int | None]:
        """Return the week's published list and whose it is; None where the shop's own plan decides.

        Raises:
            LoopError: a champion was promoted, and published no list for the week.
        """
        if not self.is_served:
            return None, None
        folder = Lake(self.settings.lake, self.pipeline.source.name).decisions(self.pipeline.scenario.name)
        pointer = read_pointers(folder).get(f"as_of={monday}")
        if pointer is None:
            raise LoopError(f"there is a champion, and no list for the week of {monday} in {folder}")
        rows: list[dict[str, Any]] = []
        for file in pointer.files:
            rows += pq.ParquetFile(folder / file).read().to_pylist()
        key = self.settings.pseudonym_key()
        ids = shopper_ids(self._own.population.number)
        places = {pseudonym(str(one), key): row for row, one in enumerate(ids)}
        actions = {name: number for number, name in enumerate(self.shop_settings.action_keys)}
        action, propensity = np.full(len(ids), -1), np.ones(len(ids))
        for row in rows:
            place = places[row["user_id"]]
            action[place], propensity[place] = actions[row["action"]], float(row["propensity"])
        return GivenWeek(action, propensity, rows[0]["policy_version"]), self.listing_version

    def _given(self) -> dict[int, GivenWeek]:
        """Return the kept lists by week."""
        found = {}
        for path in sorted((self.folder / LISTS_FOLDER).glob("*.json")):
            content = json.loads(path.read_text(encoding="utf-8"))
            if content is not None:
                found[int(path.stem)] = _given_of(content)
        return found

    def _keep_list(self, number: int, listed: GivenWeek | None) -> None:
        path = self._kept_file(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = None
        if listed is not None:
            content = {
                "action": listed.action.tolist(),
                "propensity": listed.propensity.tolist(),
                "policy_version": listed.policy_version,
            }
        write_atomically(path, json.dumps(content))

    def _kept_file(self, number: int) -> Path:
        return self.folder / LISTS_FOLDER / f"{number:04d}.json"


def earned_by_week(simulation: Simulation) -> FloatArray:
    """Return what each week's decisions earned, `(n_weeks,)`, in currency.

    Margin on the week's orders, discounts taken off, less what writing cost. Refunds are left out: they come to the
    same share of whatever was bought.
    """
    money = [
        week.summed("amount").sum() - week.summed("cost").sum() - week.contact_cost.sum() for week in simulation.weeks
    ]
    return np.array(money, dtype=np.float64) / _MILLIONTHS


def _given_of(content: Mapping[str, Any]) -> GivenWeek:
    return GivenWeek(
        np.array(content["action"], dtype=np.int64),
        np.array(content["propensity"], dtype=np.float64),
        str(content["policy_version"]),
    )
