"""Dirt of a feed: lines that no clean shop would send. Whatever is added, every real line stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from conf.tables import RejectReason
from rl.shops.promotion.feeds.feed_lines import FeedLine, LineKind, Record
from rl.shops.promotion.promotion_settings import FeedDirt

Spoiler = Callable[[Record, np.random.Generator], None]


@dataclass(frozen=True)
class FeedForm:
    """How a feed's lines are spoiled.

    Attributes:
        spoilers: what each kind of dirt does to a copy of a real line; a feed without one has no such dirt.
        can_be_cut: whether its lines are text that may end in the middle.
        id_column: the column that tells lines apart, given another value so that a spoiled line is no repetition.
        reasons: why a reader rejects lines of a kind, where that differs from other feeds.
    """

    spoilers: Mapping[LineKind, Spoiler]
    can_be_cut: bool
    id_column: str
    reasons: Mapping[LineKind, RejectReason] = field(default_factory=dict)

    def reason(self, kind: LineKind) -> RejectReason | None:
        """Return why a reader rejects lines of the kind; None where they are events."""
        return self.reasons.get(kind, REASONS.get(kind))


REASONS: dict[LineKind, RejectReason] = {
    "duplicate_same_delivery": "duplicate",
    "broken": "unreadable",
    "ignored": "ignored",
    "unknown_type": "unknown_event_type",
    "unknown_offer": "bad_id",
    "bad_number": "bad_number",
    "bad_timestamp": "bad_timestamp",
    "missing_shopper": "missing_field",
}


def _set(column: str, *values: object) -> Spoiler:
    def spoil(record: Record, rng: np.random.Generator) -> None:
        record[column] = values[rng.integers(len(values))]

    return spoil


def _set_visitor(record: Record, rng: np.random.Generator) -> None:
    del rng
    record["visitor"] = {"device": "mobile"}


def _set_price(record: Record, rng: np.random.Generator) -> None:
    product = {"sku": "40000", "category": "category-0", "price": ("n/a", -4.5)[rng.integers(2)]}
    record.pop("cart", None)
    record |= {"event": "product_view", "product": product}


FORMS: dict[str, FeedForm] = {
    "web": FeedForm(
        spoilers={
            "ignored": _set("event", "heartbeat"),
            "unknown_type": _set("event", "hover", "zoom"),
            "bad_number": _set_price,
            "bad_timestamp": _set("ts", "yesterday", "2026-13-45T99:00"),
            "missing_shopper": _set_visitor,
        },
        can_be_cut=True,
        id_column="id",
    ),
    "orders": FeedForm(
        spoilers={
            "ignored": _set("Art", "G"),
            "unknown_type": _set("Art", "X", "?"),
            "bad_number": _set("Betrag", "n/a", "zwölf"),
            "bad_timestamp": _set("Zeitpunkt", "31.02.2026 12:00:00", "gestern"),
            "missing_shopper": _set("Kunde", "", "NULL"),
        },
        can_be_cut=True,
        id_column="Beleg",
        reasons={"broken": "half_record"},
    ),
    "campaign": FeedForm(
        spoilers={
            "unknown_offer": _set("offer", "TEST-99", "NL-ALT"),
            "bad_number": _set("propensity", 1.7, -0.2),
            "bad_timestamp": _set("sent_at", None),
            "missing_shopper": _set("customer", None),
        },
        can_be_cut=False,
        id_column="send_id",
        # A column of timestamps holds no other text: what couldn't be read left nothing.
        reasons={"bad_timestamp": "missing_field"},
    ),
}

_RATES: dict[LineKind, str] = {
    "broken": "broken_rate",
    "ignored": "ignored_rate",
    "unknown_type": "unknown_type_rate",
    "unknown_offer": "unknown_offer_rate",
    "bad_number": "bad_number_rate",
    "bad_timestamp": "bad_timestamp_rate",
    "missing_shopper": "missing_shopper_rate",
}


def dirty_lines(feed: str, real: list[FeedLine], dirt: FeedDirt, rng: np.random.Generator) -> list[FeedLine]:
    """Return lines to add to a day's real ones of a feed, each spoiled in one way after the likeness of a real line."""
    form, added = FORMS[feed], list[FeedLine]()
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
    lines: list[FeedLine], rate: float, *, is_last: bool, rng: np.random.Generator
) -> tuple[list[FeedLine], list[FeedLine]]:
    """Return the lines that come a second time with today's delivery, and those that do with the next.

    Late lines aren't put off once more.
    """
    again, tomorrow = list[FeedLine](), list[FeedLine]()
    is_chosen, is_put_off = rng.random(len(lines)) < rate, rng.random(len(lines)) < 0.5
    for line, chosen, put_off in zip(lines, is_chosen.tolist(), is_put_off.tolist(), strict=True):
        if chosen and put_off and line.kind == "on_time" and not is_last:
            tomorrow.append(replace(line, kind="duplicate_next_delivery"))
        elif chosen:
            again.append(replace(line, kind="duplicate_same_delivery"))
    return again, tomorrow
