"""Dirt of the four feeds: lines that no clean shop would send. Whatever is added, every real line stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from conf.tables import RejectReason
from rl.shops.inventory.feeds.stock_lines import LineKind, Record, StockLine
from rl.shops.inventory.inventory_settings import StockDirt

Spoiler = Callable[[Record, np.random.Generator], None]


@dataclass(frozen=True)
class FeedForm:
    """How a feed's lines are spoiled.

    Attributes:
        spoilers: what each kind of dirt does to a copy of a real line; a feed without one has no such dirt.
        id_column: the column that tells lines apart, given another value so that a spoiled line is no repetition.
        reasons: why a reader rejects lines of a kind, where that differs from other feeds.
        can_be_cut: whether its lines are text that may end in the middle.
    """

    spoilers: Mapping[LineKind, Spoiler]
    id_column: str
    reasons: Mapping[LineKind, RejectReason] = field(default_factory=dict)
    can_be_cut: bool = True

    def reason(self, kind: LineKind) -> RejectReason | None:
        """Return why a reader rejects lines of the kind; None where they are events."""
        return self.reasons.get(kind, REASONS.get(kind))


REASONS: dict[LineKind, RejectReason] = {
    "duplicate_same_delivery": "duplicate",
    "broken": "half_record",
    "ignored": "ignored",
    "unknown_type": "unknown_event_type",
    "bad_number": "bad_number",
    "bad_timestamp": "bad_timestamp",
    "missing_article": "missing_field",
}

_RATES: dict[LineKind, str] = {
    "broken": "broken_rate",
    "ignored": "ignored_rate",
    "unknown_type": "unknown_type_rate",
    "bad_number": "bad_number_rate",
    "bad_timestamp": "bad_timestamp_rate",
    "missing_article": "missing_article_rate",
}


def _set(column: str, *values: object) -> Spoiler:
    def spoil(record: Record, rng: np.random.Generator) -> None:
        record[column] = values[rng.integers(len(values))]

    return spoil


def _set_lines(*lines: Record) -> Spoiler:
    def spoil(record: Record, rng: np.random.Generator) -> None:
        record["lines"] = [lines[rng.integers(len(lines))]]

    return spoil


FORMS: dict[str, FeedForm] = {
    "sales": FeedForm(
        spoilers={
            "ignored": _set("Art", "G"),
            "unknown_type": _set("Art", "X", "?"),
            "bad_number": _set("Menge", "1,5", "zwei", "n/a"),
            "bad_timestamp": _set("Zeitpunkt", "31.02.2026 12:00:00", "gestern"),
            "missing_article": _set("Artikel", "", "NULL"),
        },
        id_column="Bon",
    ),
    "stock": FeedForm(
        spoilers={
            "bad_number": _set("on_hand", 2.5, -4.0),
            "bad_timestamp": _set("counted_at", None),
            "missing_article": _set("article", None),
        },
        id_column="count",
        # A column of timestamps holds no other text: what couldn't be read left nothing.
        reasons={"bad_timestamp": "missing_field"},
        can_be_cut=False,
    ),
    "supply_orders": FeedForm(
        spoilers={
            "ignored": _set("status", "draft"),
            "unknown_type": _set("status", "maybe", "?"),
            "bad_number": _set_lines({"sku": "70001", "qty": 2.5}, {"sku": "70001", "qty": "a dozen"}),
            "bad_timestamp": _set("placed_ms", "yesterday"),
            "missing_article": _set_lines({"sku": None, "qty": 6}),
        },
        id_column="order",
        # A line of no known type isn't known to be the shop's own either, and lacks its shopper first.
        reasons={"broken": "unreadable", "unknown_type": "missing_field"},
    ),
    "receipts": FeedForm(
        spoilers={
            "bad_number": _set("Menge", "12,5", "1.2", "viele"),
            "bad_timestamp": _set("Gebucht", "31.02.2026", "heute"),
            "missing_article": _set("Artikel", "", "NULL"),
        },
        id_column="Beleg",
    ),
}
"""By feed; so are files and counts."""


def dirty_lines(feed: str, real: list[StockLine], dirt: StockDirt, rng: np.random.Generator) -> list[StockLine]:
    """Return lines to add to a day's real ones of a feed, each spoiled in one way after the likeness of a real line."""
    form, added = FORMS[feed], list[StockLine]()
    for kind, rate in _RATES.items():
        if not real or (kind not in form.spoilers and not (kind == "broken" and form.can_be_cut)):
            continue
        for place in rng.integers(0, len(real), rng.binomial(len(real), getattr(dirt, rate))):
            model = real[place]
            record = dict(model.record)
            record[form.id_column] = f"{record[form.id_column]}X{len(added)}"
            if kind != "broken":
                form.spoilers[kind](record, rng)
            added.append(replace(model, kind=kind, record=record, is_cut=kind == "broken"))
    return added


def duplicates(
    lines: list[StockLine], rate: float, *, is_last: bool, rng: np.random.Generator
) -> tuple[list[StockLine], list[StockLine]]:
    """Return the lines that come a second time with today's delivery, and those that do with the next.

    Late lines aren't put off once more.
    """
    again, tomorrow = list[StockLine](), list[StockLine]()
    is_chosen, is_put_off = rng.random(len(lines)) < rate, rng.random(len(lines)) < 0.5
    for line, chosen, put_off in zip(lines, is_chosen.tolist(), is_put_off.tolist(), strict=True):
        if chosen and put_off and line.kind == "on_time" and not is_last:
            tomorrow.append(replace(line, kind="duplicate_next_delivery"))
        elif chosen:
            again.append(replace(line, kind="duplicate_same_delivery"))
    return again, tomorrow
