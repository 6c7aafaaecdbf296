"""Real lines of the four feeds, before dirt: sales of the till, counts, orders to suppliers, and receipts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np

from rl.shops.inventory.stock_days import Receipt, StockDays
from rl.shops.promotion.feeds.feed_lines import decimal_comma
from rl.shops.promotion.week_calendar import DAYS_A_WEEK, HOUR, MICROSECONDS, WeekCalendar

LineKind = Literal[
    "on_time",
    "late",
    "recount",
    "duplicate_same_delivery",
    "duplicate_next_delivery",
    "broken",
    "ignored",
    "unknown_type",
    "bad_number",
    "bad_timestamp",
    "missing_article",
]

Record = dict[str, object]

FIRST_ARTICLE, FIRST_SHOPPER = 70_001, 30_001
CURRENCY = "EUR"
PURCHASE, REFUND = "K", "R"
COUNTED_AT, ORDERED_AT, RECEIVED_AT = 5 * HOUR + HOUR // 2, 6 * HOUR, 7 * HOUR
RECOUNTED_AT, OPENS_AT = 7 * HOUR + HOUR * 3 // 4, 8 * HOUR
_OPEN_SECONDS = 14 * 3600
_LARGEST_BASKET = 3


@dataclass(frozen=True)
class StockLine:
    """A line with what it is, and when a tidy shop would have written it.

    Attributes:
        kind: what became of it.
        record: its columns.
        time: microseconds since the epoch, for the order in the file.
        day: of the calendar, on which it happened.
        is_cut: whether it ends in the middle.
    """

    kind: LineKind
    record: Record
    time: int
    day: int
    is_cut: bool = False


@dataclass(frozen=True)
class Sale:
    """A line of the till with what it tells of: of which product, and the day of its purchase, a refund's too."""

    line: StockLine
    product: int
    day: int
    is_refund: bool
    amount: int
    cost: int


def calendar_of(days: StockDays) -> WeekCalendar:
    """Return the calendar of the shop's days."""
    settings = days.settings
    n_weeks = -(-settings.n_days // DAYS_A_WEEK)
    return WeekCalendar.of(zone=settings.zone, first_monday=settings.first_day, n_weeks=n_weeks, decision_hour=7)


def article(product: int) -> int:
    """Return the number by which all feeds know a product."""
    return FIRST_ARTICLE + product


def sales(days: StockDays, calendar: WeekCalendar, rng: np.random.Generator) -> Iterator[Sale]:
    """Yield the sales of all days in small baskets, some followed by a refund; of the log's days alone."""
    for day in range(days.settings.n_days):
        prices, number = days.products.price_on(day).tolist(), 0
        for product in np.flatnonzero(days.sold[:, day]).tolist():
            left = int(days.sold[product, day])
            while left:
                units = min(left, int(rng.integers(1, _LARGEST_BASKET + 1)))
                left, number = left - units, number + 1
                amount, cost = prices[product] * units, int(days.products.cost[product]) * units
                record: Record = {
                    "Bon": f"B{day:04d}{number:05d}",
                    "Kunde": str(FIRST_SHOPPER + int(rng.integers(days.settings.n_shoppers))),
                    "Artikel": str(article(product)),
                    "Menge": str(units),
                    "Betrag": decimal_comma(amount, 2),
                    "Wareneinsatz": decimal_comma(cost, 4),
                    "Währung": CURRENCY,
                }
                sold = Sale(_printed(days, calendar, record, PURCHASE, day, rng), product, day, False, amount, cost)
                yield sold
                yield from _refund(days, calendar, sold, units, rng)


def _refund(
    days: StockDays, calendar: WeekCalendar, sold: Sale, units: int, rng: np.random.Generator
) -> Iterator[Sale]:
    """Yield the refund of a sale, if it comes to one before the log ends."""
    back = sold.day + int(rng.integers(1, 6))
    if rng.random() < days.settings.refund_share and back < days.settings.n_days:
        returned = {"Menge": str(-units), "Betrag": decimal_comma(-sold.amount, 2), "Wareneinsatz": ""}
        line = _printed(days, calendar, sold.line.record | returned, REFUND, back, rng)
        yield Sale(line, sold.product, sold.day, True, sold.amount, 0)


def _printed(
    days: StockDays, calendar: WeekCalendar, record: Record, kind: str, day: int, rng: np.random.Generator
) -> StockLine:
    """Return a line of the till, at a moment of the day at which the shop is open."""
    time = int(calendar.day_starts[day]) + OPENS_AT + int(rng.integers(_OPEN_SECONDS)) * MICROSECONDS
    shown = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).astimezone(ZoneInfo(days.settings.zone))
    written = record | {"Art": kind, "Zeitpunkt": shown.strftime("%d.%m.%Y %H:%M:%S")}
    return StockLine("on_time", written, time, day)


def count_lines(days: StockDays, calendar: WeekCalendar, rng: np.random.Generator) -> Iterator[StockLine]:
    """Yield a count of every product in the range each morning, and now and then another one before opening."""
    for day in range(days.settings.n_days):
        for product in np.flatnonzero(days.is_in_range[:, day]).tolist():
            time = int(calendar.day_starts[day]) + COUNTED_AT + int(rng.integers(60)) * MICROSECONDS
            yield _count(product, day, time, int(days.opening[product, day]), "on_time")
            if rng.random() < days.settings.dirt.recount_rate:
                # Once the goods are in.
                units = int(days.opening[product, day] + days.received[product, day])
                yield _count(product, day, int(calendar.day_starts[day]) + RECOUNTED_AT, units, "recount")


def _count(product: int, day: int, time: int, units: int, kind: LineKind) -> StockLine:
    record: Record = {
        "count": f"Z{day:04d}-{article(product)}{'-2' if kind == 'recount' else ''}",
        "article": article(product),
        "counted_at": time,
        "on_hand": float(units),
    }
    return StockLine(kind, record, time, day)


def order_number(product: int, day: int, days: StockDays) -> str:
    """Return the number of the order that holds a product's order of a day: a supplier's are one."""
    return f"PO-{day:04d}-{int(days.products.category[product])}"


def supplier_orders(days: StockDays, calendar: WeekCalendar, rng: np.random.Generator) -> Iterator[StockLine]:
    """Yield the orders of each day, one a supplier with a line for each product that is ordered."""
    for day in range(days.settings.n_days):
        by_supplier: dict[int, list[Record]] = defaultdict(list)
        for product in np.flatnonzero(days.ordered[:, day]).tolist():
            line: Record = {"sku": str(article(product)), "qty": int(days.ordered[product, day])}
            by_supplier[int(days.products.category[product])].append(line)
        for supplier, lines in by_supplier.items():
            time = int(calendar.day_starts[day]) + ORDERED_AT + int(rng.integers(600)) * MICROSECONDS
            record: Record = {
                "order": f"PO-{day:04d}-{supplier}",
                "status": "placed",
                "placed_ms": time // 1000,
                "supplier": {"number": supplier},
                "lines": lines,
            }
            yield StockLine("on_time", record, time, day)


def receipt_lines(
    days: StockDays, calendar: WeekCalendar, rng: np.random.Generator, on: int | None = None
) -> Iterator[StockLine]:
    """Yield the receipts of all days, or of one, each with the order that it is part of."""
    for number, one in enumerate(days.receipts):
        if one.day < days.settings.n_days and on in (None, one.day):
            yield _receipt(days, calendar, one, number, rng)


def _receipt(days: StockDays, calendar: WeekCalendar, one: Receipt, number: int, rng: np.random.Generator) -> StockLine:
    time = int(calendar.day_starts[one.day]) + RECEIVED_AT + int(rng.integers(1800)) * MICROSECONDS
    record: Record = {
        "Beleg": f"WE{number:06d}",
        "Bestellung": order_number(one.product, one.order_day, days),
        "Artikel": str(article(one.product)),
        "Menge": decimal_comma(one.units * MICROSECONDS, 0),
        "Gebucht": datetime.fromtimestamp(time // MICROSECONDS, UTC).isoformat(),
        "Tor": str(1 + number % 3),
    }
    return StockLine("on_time", record, time, one.day)
