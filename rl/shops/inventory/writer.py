"""The shop's raw deliveries: a folder a day with four dirty feeds and products, and a record of what they hold."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rl.errors import ShopError
from rl.shops.inventory.feeds.stock_dirt import FORMS, dirty_lines, duplicates
from rl.shops.inventory.feeds.stock_files import PRODUCT_FILE, PRODUCT_HEADER, WRITERS, product_lines
from rl.shops.inventory.feeds.stock_lines import (
    FIRST_ARTICLE,
    LineKind,
    Record,
    StockLine,
    calendar_of,
    count_lines,
    receipt_lines,
    sales,
    supplier_orders,
)
from rl.shops.inventory.inventory_settings import SHOP_FILE, InventorySettings
from rl.shops.inventory.stock_days import StockDays, simulate_days
from rl.shops.inventory.stock_record import StockRecord
from rl.shops.promotion.week_calendar import DAY, MICROSECONDS

LOGS_FOLDER = "logs"
DELIVERED_FILE = "delivered.json"
STOCK_FILE = "stock_days.parquet"

DISORDER_MINUTES = 20.0
_LINES_STREAM, _LATE_STREAM, _DAY_STREAM = 51, 52, 53


def write_inventory_logs(out: Path, settings: InventorySettings) -> dict[str, object]:
    """Write the shop's settings, its logs of every day, and the record of what is in them, replacing earlier ones.

    The record is `delivered.json` (lines by feed, day and kind) and `stock_days.parquet` (exact units and money by
    product and day, with the demand that no log shows). The same settings give the same bytes.

    Returns:
        What `delivered.json` says.

    Raises:
        ShopError: the folder can't be written.
    """
    days = simulate_days(settings)
    staged = out / f".{LOGS_FOLDER}.{os.getpid()}"
    try:
        shutil.rmtree(staged, ignore_errors=True)
        delivered, record = deliver(days, staged)
        shutil.rmtree(out / LOGS_FOLDER, ignore_errors=True)
        staged.replace(out / LOGS_FOLDER)
        (out / DELIVERED_FILE).write_text(json.dumps(delivered, indent=2) + "\n", encoding="utf-8")
        record.write(out / STOCK_FILE)
        SHOP_FILE.save(settings, out)
    except OSError as error:
        shutil.rmtree(staged, ignore_errors=True)
        raise ShopError(f"{out}: the simulated shop's logs can't be written: {error}") from error
    return delivered


def deliver(days: StockDays, logs: Path) -> tuple[dict[str, object], StockRecord]:
    """Write the days' files to the folder; return the counts of each kind of line, and the exact record."""
    deliveries, calendar = _Deliveries(days), calendar_of(days)
    told = product_lines(days)
    for day in range(days.settings.n_days):
        folder = logs / str(calendar.date(day))
        folder.mkdir(parents=True)
        for feed in WRITERS:
            deliveries.write(feed, day, folder, is_last=day + 1 == days.settings.n_days)
        if day in told:
            _write_products(folder, told[day])
    return deliveries.summary(), deliveries.record


def deliver_day(days: StockDays, day: int, folder: Path) -> None:
    """Write the files of one day alone to the folder, which is made anew; what later days hold doesn't change them."""
    deliveries, told = _Deliveries(days), product_lines(days)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for feed in WRITERS:
        for earlier in range(day):
            deliveries.pass_by(feed, earlier)
        deliveries.write(feed, day, folder, is_last=day + 1 == days.settings.n_days)
    if day in told:
        _write_products(folder, told[day])


def _write_products(folder: Path, lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in [PRODUCT_HEADER, *lines])
    (folder / PRODUCT_FILE).write_bytes(content.encode("latin-1"))


def deliver_next(days: StockDays, day: int, folder: Path, delivered: Mapping[str, Any]) -> NextDay:
    """Write the files of the day after the last one to a folder; return what is delivered by then, and its record.

    Lines of days that the shop was made for are drawn as they were, those of each further day by a chance of its own.

    Args:
        days: of the shop, some weeks beyond the day: refunds and prices are told of them.
        day: number of it.
        folder: of the delivery.
        delivered: what `delivered.json` said of the days before.
    """
    drawn = days.settings.drawn_days
    deliveries = _Deliveries(days.until(drawn), last_day=day, record=StockRecord(days.until(day + 1)))
    for further in range(drawn, day + 1):
        deliveries.add_day(days, further)
    for feed in WRITERS:
        before = delivered["feeds"][feed]["days"]
        deliveries.kinds[feed] = {name: Counter(kinds) for name, kinds in before.items()}
        # The last day of the shop as it was made put no line off.
        if day > drawn:
            deliveries.pass_by(feed, day - 1)
        deliveries.write(feed, day, folder, is_last=False)
    told = product_lines(days, first_change=drawn)
    # What is told some days before, and lay behind the days that the shop was made for, is told on the first one.
    due = range(day + 1) if day == drawn else range(day, day + 1)
    if lines := [line for one in due for line in told.get(one, [])]:
        _write_products(folder, lines)
    return NextDay(deliveries.summary(), deliveries.record)


@dataclass(frozen=True)
class NextDay:
    """What is delivered up to a day: lines as `delivered.json` says, and the exact record."""

    delivered: dict[str, object]
    record: StockRecord


class _Deliveries:
    """Real lines by feed and day of delivery, and what becomes of them; days after the last deliver nothing."""

    def __init__(self, days: StockDays, last_day: int | None = None, record: StockRecord | None = None) -> None:
        self.days, self.settings, self.calendar = days, days.settings, calendar_of(days)
        self.last_day = days.settings.n_days - 1 if last_day is None else last_day
        self.record = StockRecord(days) if record is None else record
        self.real: dict[str, dict[int, list[StockLine]]] = {feed: defaultdict(list) for feed in WRITERS}
        self.kinds: dict[str, dict[str, Counter[LineKind]]] = {feed: {} for feed in WRITERS}
        self.put_off: dict[str, list[StockLine]] = {feed: [] for feed in WRITERS}
        self.n_undelivered: Counter[str] = Counter()
        self._add_lines(days)

    def add_day(self, days: StockDays, day: int) -> None:
        """Take in the lines of one day beyond those that the shop was made for."""
        self.calendar = calendar_of(days)
        self._add_lines(days.on(day), day)

    def _add_lines(self, days: StockDays, *of_day: int) -> None:
        rngs = {feed: self._rng(_LINES_STREAM, feed, *of_day) for feed in WRITERS}
        self._add_sales(days, rngs["sales"], *of_day)
        self._add_counts(days, rngs["stock"], *of_day)
        orders = list(supplier_orders(days, self.calendar, rngs["supply_orders"]))
        self._add_units("supply_orders", orders, *of_day)
        self._add_units("receipts", list(receipt_lines(days, self.calendar, rngs["receipts"], *of_day)), *of_day)

    def write(self, feed: str, day: int, folder: Path, *, is_last: bool) -> None:
        """Write a feed's file of a day: what is real, what comes again, and what is wrong."""
        dirt, lines = self.settings.dirt, self.real[feed].get(day, [])
        again, before, rng = self._repeated(feed, day, is_last=is_last)
        together = lines + again + before + dirty_lines(feed, lines, dirt, rng)
        shift = rng.normal(0, DISORDER_MINUTES * 60 * MICROSECONDS, len(together))
        place = np.array([line.time for line in together]) + shift
        WRITERS[feed]([together[index] for index in np.argsort(place, kind="stable")], folder, rng)
        self.kinds[feed][str(self.calendar.date(day))] = Counter(line.kind for line in together)

    def pass_by(self, feed: str, day: int) -> None:
        """Do as if a feed's file of a day was written: some of its lines come once more on the next."""
        self._repeated(feed, day, is_last=False)

    def _repeated(
        self, feed: str, day: int, *, is_last: bool
    ) -> tuple[list[StockLine], list[StockLine], np.random.Generator]:
        """Return lines that come twice today, those of yesterday that come again, and the day's further chance."""
        rng = self._rng(_DAY_STREAM, feed, day)
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

    def _rng(self, stream: int, feed: str, *more: int) -> np.random.Generator:
        return np.random.default_rng([self.settings.seed, stream, list(WRITERS).index(feed), *more])

    def _add(self, feed: str, lines: list[StockLine], *of_day: int) -> list[bool]:
        """Take in real lines, some of them a day late, and return which are delivered at all."""
        is_late = (self._rng(_LATE_STREAM, feed, *of_day).random(len(lines)) < self.settings.dirt.late_rate).tolist()
        is_delivered = [line.day + late <= self.last_day for line, late in zip(lines, is_late, strict=True)]
        for line, late, comes in zip(lines, is_late, is_delivered, strict=True):
            if comes:
                moved = replace(line, kind="late", time=line.time + DAY) if late and line.kind == "on_time" else line
                self.real[feed][line.day + late].append(moved)
        self.n_undelivered[feed] += is_delivered.count(False)
        return is_delivered

    def _add_sales(self, days: StockDays, rng: np.random.Generator, *of_day: int) -> None:
        all_sales = list(sales(days, self.calendar, rng))
        is_delivered = self._add("sales", [sale.line for sale in all_sales], *of_day)
        self.record.add_sales(sale for sale, comes in zip(all_sales, is_delivered, strict=True) if comes)
        for sale, comes in zip(all_sales, is_delivered, strict=True):
            if not comes and not sale.is_refund:
                self.record.note_gap(sale.product, sale.day)

    def _add_counts(self, days: StockDays, rng: np.random.Generator, *of_day: int) -> None:
        counts = list(count_lines(days, self.calendar, rng))
        is_missed = (rng.random(len(counts)) < self.settings.dirt.missed_count_rate).tolist()
        kept = [line for line, missed in zip(counts, is_missed, strict=True) if not missed or line.kind == "recount"]
        is_delivered = self._add("stock", kept, *of_day)
        self.record.add_counts(line for line, comes in zip(kept, is_delivered, strict=True) if comes)

    def _add_units(self, feed: str, lines: list[StockLine], *of_day: int) -> None:
        for line, comes in zip(lines, self._add(feed, lines, *of_day), strict=True):
            if not comes:
                for number in _articles(line.record):
                    self.record.note_gap(number - FIRST_ARTICLE, line.day)


def _articles(record: Record) -> list[int]:
    """Return the articles that a line of orders or receipts names."""
    lines = record.get("lines")
    named = [one["sku"] for one in lines] if isinstance(lines, list) else [record["Artikel"]]
    return [int(str(one)) for one in named]
