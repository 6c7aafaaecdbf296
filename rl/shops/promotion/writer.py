"""The shop's raw deliveries: a folder a day with three dirty feeds and side tables, and a record of what they hold."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rl.errors import ShopError
from rl.shops.promotion.feeds.campaign_feed import campaign_lines
from rl.shops.promotion.feeds.feed_dirt import FORMS, dirty_lines, duplicates
from rl.shops.promotion.feeds.feed_files import WRITERS
from rl.shops.promotion.feeds.feed_lines import FeedLine, LineKind
from rl.shops.promotion.feeds.money_record import MoneyRecord
from rl.shops.promotion.feeds.order_feed import OrderLine, order_lines
from rl.shops.promotion.feeds.side_files import side_files
from rl.shops.promotion.feeds.web_feed import web_lines
from rl.shops.promotion.promotion_settings import SHOP_FILE, PromotionSettings
from rl.shops.promotion.simulate import Simulation, simulate
from rl.shops.promotion.week_calendar import DAYS_A_WEEK, MICROSECONDS

LOGS_FOLDER = "logs"
DELIVERED_FILE = "delivered.json"
MONEY_FILE = "money.json"
DECISIONS_FILE = "decisions.parquet"

DISORDER_MINUTES = 20.0
_FORMS_STREAM, _LATE_STREAM, _DAY_STREAM = 31, 32, 33


def write_promotion_logs(out: Path, settings: PromotionSettings) -> dict[str, object]:
    """Write the shop's settings, its logs of every day, and the record of what is in them, replacing earlier ones.

    The record is `delivered.json` (lines by feed, day and kind), `money.json` (exact money by week) and
    `decisions.parquet` (the same by decision, with what no log shows). The same settings give the same bytes.

    Returns:
        What `delivered.json` says.

    Raises:
        ShopError: the folder can't be written, or nobody was there.
    """
    simulation = simulate(settings)
    staged = out / f".{LOGS_FOLDER}.{os.getpid()}"
    try:
        shutil.rmtree(staged, ignore_errors=True)
        delivered, money = deliver(simulation, staged)
        shutil.rmtree(out / LOGS_FOLDER, ignore_errors=True)
        staged.replace(out / LOGS_FOLDER)
        (out / DELIVERED_FILE).write_text(json.dumps(delivered, indent=2) + "\n", encoding="utf-8")
        (out / MONEY_FILE).write_text(money_text(money), encoding="utf-8")
        money.write_decisions(out / DECISIONS_FILE)
        SHOP_FILE.save(settings, out)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise ShopError(f"{out}: the simulated shop's logs can't be written: {error}") from error
    return delivered


def money_text(money: MoneyRecord) -> str:
    """Return what `money.json` holds."""
    return json.dumps({"weeks": money.by_week()}, indent=2) + "\n"


def deliver(simulation: Simulation, logs: Path) -> tuple[dict[str, object], MoneyRecord]:
    """Write the days' files to the folder; return the counts of each kind of line, and the exact money."""
    deliveries = _Deliveries(simulation)
    n_days = simulation.shop.settings.n_weeks * DAYS_A_WEEK
    sides = side_files(simulation)
    for day in range(n_days):
        folder = logs / str(simulation.shop.calendar.date(day))
        folder.mkdir(parents=True)
        for feed in WRITERS:
            deliveries.write(feed, day, folder, is_last=day + 1 == n_days)
        _write_sides(folder, sides.get(day, {}))
    return deliveries.summary(), deliveries.money


def deliver_days(simulation: Simulation, days: range, logs: Path) -> None:
    """Write the files of some days alone, each folder made anew; what later days hold doesn't change them."""
    deliveries, sides = _Deliveries(simulation), side_files(simulation)
    n_days = simulation.shop.settings.n_weeks * DAYS_A_WEEK
    for feed in WRITERS:
        for earlier in range(days.start):
            deliveries.pass_by(feed, earlier)
    for day in days:
        folder = logs / str(simulation.shop.calendar.date(day))
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for feed in WRITERS:
            deliveries.write(feed, day, folder, is_last=day + 1 == n_days)
        _write_sides(folder, sides.get(day, {}))


def _write_sides(folder: Path, files: Mapping[str, list[str]]) -> None:
    for name, lines in files.items():
        (folder / name).write_bytes("".join(f"{line}\n" for line in lines).encode(_encoding(name)))


def deliver_next(simulation: Simulation, day: int, folder: Path, delivered: Mapping[str, Any]) -> NextDay:
    """Write the files of the day after the last one to a folder; return what is delivered by then, and its money.

    Args:
        simulation: of that day's week and all before it.
        day: number of it.
        folder: of the delivery.
        delivered: what `delivered.json` said of the days before.
    """
    deliveries = _Deliveries(simulation, last_day=day)
    for feed in WRITERS:
        before = delivered["feeds"][feed]["days"]
        deliveries.kinds[feed] = {name: Counter(kinds) for name, kinds in before.items()}
        # The last day of the shop as it was made put no line off.
        if day > simulation.shop.settings.drawn_weeks * DAYS_A_WEEK:
            deliveries.pass_by(feed, day - 1)
        deliveries.write(feed, day, folder, is_last=False)
    _write_sides(folder, side_files(simulation).get(day, {}))
    return NextDay(deliveries.summary(), deliveries.money)


@dataclass(frozen=True)
class NextDay:
    """What is delivered up to a day: lines as `delivered.json` says, and money."""

    delivered: dict[str, object]
    money: MoneyRecord


class _Deliveries:
    """Real lines by feed and day of delivery, and what becomes of them; days after the last deliver nothing."""

    def __init__(self, simulation: Simulation, last_day: int | None = None) -> None:
        self.simulation, self.settings = simulation, simulation.shop.settings
        self.last_day = self.settings.n_weeks * DAYS_A_WEEK - 1 if last_day is None else last_day
        self.money = MoneyRecord(simulation)
        self.real: dict[str, dict[int, list[FeedLine]]] = {feed: defaultdict(list) for feed in WRITERS}
        self.kinds: dict[str, dict[str, Counter[LineKind]]] = {feed: {} for feed in WRITERS}
        self.put_off: dict[str, list[FeedLine]] = {feed: [] for feed in WRITERS}
        self.n_undelivered: Counter[str] = Counter()
        forms = [np.random.default_rng([self.settings.seed, _FORMS_STREAM, place]) for place in (0, 1)]
        rate = self.settings.dirt.other_id_form_rate
        self._add("web", list(web_lines(simulation, other_forms=rate, rng=forms[0])))
        self._add_orders(list(order_lines(simulation, other_forms=rate, rng=forms[1])))
        self._add_decisions()

    def write(self, feed: str, day: int, folder: Path, *, is_last: bool) -> None:
        """Write a feed's file of a day: what is real, what comes again, and what is wrong."""
        dirt, lines = self.settings.dirt, self.real[feed].get(day, [])
        again, before, rng = self._repeated(feed, day, is_last=is_last)
        together = lines + again + before + dirty_lines(feed, lines, dirt, rng)
        place = np.array([line.time for line in together]) + rng.normal(
            0, DISORDER_MINUTES * 60 * MICROSECONDS, len(together)
        )
        WRITERS[feed]([together[index] for index in np.argsort(place, kind="stable")], folder, rng)
        self.kinds[feed][str(self.simulation.shop.calendar.date(day))] = Counter(line.kind for line in together)

    def pass_by(self, feed: str, day: int) -> None:
        """Do as if a feed's file of a day was written: some of its lines come once more on the next."""
        self._repeated(feed, day, is_last=False)

    def _repeated(
        self, feed: str, day: int, *, is_last: bool
    ) -> tuple[list[FeedLine], list[FeedLine], np.random.Generator]:
        """Return lines that come twice today, those of yesterday that come again, and the day's further chance."""
        rng = np.random.default_rng([self.settings.seed, _DAY_STREAM, list(WRITERS).index(feed), day])
        lines = self.real[feed].get(day, [])
        again, tomorrow = duplicates(lines, self.settings.dirt.duplicate_rate, is_last=is_last, rng=rng)
        before, self.put_off[feed] = self.put_off[feed], tomorrow
        return again, before, rng

    def summary(self) -> dict[str, object]:
        """Return the counts of lines by feed, kind, day and reason for rejection."""
        return {"feeds": {feed: self._feed_summary(feed) for feed in WRITERS}}

    def _feed_summary(self, feed: str) -> dict[str, object]:
        totals = sum(self.kinds[feed].values(), Counter[LineKind]())
        rejected: Counter[str] = Counter()
        for kind, n_lines in totals.items():
            reason = FORMS[feed].reason(kind)
            if reason is not None:
                rejected[reason] += n_lines
        return {
            "n_lines": totals.total(),
            "n_accepted": totals.total() - rejected.total(),
            "rejected": dict(sorted(rejected.items())),
            "n_after_last_delivery": self.n_undelivered[feed],
            "kinds": dict(sorted(totals.items())),
            "days": {day: dict(sorted(kinds.items())) for day, kinds in self.kinds[feed].items()},
        }

    def _add(self, feed: str, lines: list[FeedLine]) -> list[bool]:
        """Take in real lines, some of them a day late, and return which are delivered at all."""
        rng = np.random.default_rng([self.settings.seed, _LATE_STREAM, list(WRITERS).index(feed)])
        is_late = (rng.random(len(lines)) < self.settings.dirt.late_rate).tolist()
        is_delivered = [line.day + late <= self.last_day for line, late in zip(lines, is_late, strict=True)]
        for line, late, comes in zip(lines, is_late, is_delivered, strict=True):
            if comes:
                self.real[feed][line.day + late].append(_late(line) if late else line)
        self.n_undelivered[feed] += is_delivered.count(False)
        return is_delivered

    def _add_orders(self, orders: list[OrderLine]) -> None:
        is_delivered = self._add("orders", [order.line for order in orders])
        self.money.add_orders(order for order, comes in zip(orders, is_delivered, strict=True) if comes)

    def _add_decisions(self) -> None:
        is_delivered = iter(self._add("campaign", list(campaign_lines(self.simulation))))
        for week in self.simulation.weeks:
            comes = [next(is_delivered) for _ in week.row]
            self.money.add_decisions(week.week, np.flatnonzero(comes).tolist())


def _late(line: FeedLine) -> FeedLine:
    day = 24 * 3600 * MICROSECONDS
    return FeedLine("late", line.record, line.time + day, line.day)


def _encoding(name: str) -> str:
    return "utf-8" if name.endswith(".jsonl") else "latin-1"
