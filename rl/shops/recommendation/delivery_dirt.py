"""Dirt of a delivery: lines that no clean shop would send. Whatever is added, every real line stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np

from conf.tables import RejectReason
from rl.shops.recommendation.business_calendar import DAY
from rl.shops.recommendation.canonical_lines import iso_times
from rl.shops.recommendation.measures import HOUR, MICROSECONDS
from rl.shops.recommendation.shop import Shop

LineKind = Literal[
    "on_time",
    "late",
    "duplicate_same_delivery",
    "duplicate_next_delivery",
    "broken",
    "unknown_event_type",
    "bad_number",
    "bad_timestamp",
    "missing_field",
    "outside_window",
    "bot",
]

# Why a reader rejects each kind; kinds that aren't here are events to it.
REASON_OF_KIND: dict[LineKind, RejectReason] = {
    "duplicate_same_delivery": "duplicate",
    "broken": "unreadable",
    "unknown_event_type": "unknown_event_type",
    "bad_number": "bad_number",
    "bad_timestamp": "bad_timestamp",
    "missing_field": "missing_field",
    "outside_window": "outside_window",
    "bot": "bot_rate",
}

BOT_EVENTS = (650, 900)


@dataclass(frozen=True)
class DeliveredLine:
    """A line with what it is, and when a tidy shop would have written it (microseconds, for the order in the file)."""

    kind: LineKind
    text: str
    time: int


def dirty_lines(shop: Shop, real: list[DeliveredLine], *, day: int, rng: np.random.Generator) -> list[DeliveredLine]:
    """Return dirty lines to add to a day's real ones: broken and wrong ones made after their likeness, and bots."""
    dirt = shop.settings.dirt
    rates: dict[LineKind, float] = {
        "broken": dirt.broken_rate,
        "unknown_event_type": dirt.unknown_event_type_rate,
        "bad_number": dirt.bad_number_rate,
        "bad_timestamp": dirt.bad_timestamp_rate,
        "missing_field": dirt.missing_field_rate,
        "outside_window": dirt.outside_window_rate,
    }
    added: list[DeliveredLine] = []
    for kind, rate in rates.items():
        for model in rng.integers(0, max(len(real), 1), rng.binomial(len(real), rate)):
            added.append(_spoiled(kind, real[model], len(added), rng))
    for bot in range(rng.poisson(dirt.bots_per_day)):
        added += _bot_burst(shop, day=day, bot=bot, rng=rng)
    return added


def is_duplicated(n_lines: int, rate: float, rng: np.random.Generator) -> list[bool]:
    """Return which of the lines are delivered twice."""
    return [bool(chosen) for chosen in rng.random(n_lines) < rate]


def _spoiled(kind: LineKind, model: DeliveredLine, number: int, rng: np.random.Generator) -> DeliveredLine:
    if kind == "broken":
        # A prefix of an object never parses: what closes it is missing.
        return DeliveredLine(kind, model.text[: rng.integers(10, len(model.text) - 1)], model.time)
    record = json.loads(model.text)
    record["event_id"] = f"{record['event_id']}-x{number}"
    _SPOILERS[kind](record, rng)
    return DeliveredLine(kind, json.dumps(record), model.time)


def _spoil_type(record: dict[str, object], rng: np.random.Generator) -> None:
    record["event_type"] = ("page_leave", "scroll", "hover", "zoom")[rng.integers(4)]


def _spoil_number(record: dict[str, object], rng: np.random.Generator) -> None:
    field, value = (("price", "n/a"), ("price", -12.5), ("quantity", "two"), ("propensity", 1.7))[rng.integers(4)]
    record[field] = value


def _spoil_timestamp(record: dict[str, object], rng: np.random.Generator) -> None:
    record["event_time"] = ("yesterday", "2026-13-45T99:00:00Z", "31/02/2026 noon")[rng.integers(3)]


def _drop_user(record: dict[str, object], rng: np.random.Generator) -> None:
    del record["user_id"]
    del rng


def _make_stale(record: dict[str, object], rng: np.random.Generator) -> None:
    then = datetime.fromisoformat(str(record["event_time"])) - timedelta(days=int(rng.integers(3, 10)))
    record["event_time"] = then.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_SPOILERS: dict[LineKind, Callable[[dict[str, object], np.random.Generator], None]] = {
    "unknown_event_type": _spoil_type,
    "bad_number": _spoil_number,
    "bad_timestamp": _spoil_timestamp,
    "missing_field": _drop_user,
    "outside_window": _make_stale,
}


def _bot_burst(shop: Shop, *, day: int, bot: int, rng: np.random.Generator) -> list[DeliveredLine]:
    """Return a bot's views, all within one clock hour and too many for a person."""
    catalogue, n_events = shop.catalogue, int(rng.integers(*BOT_EVENTS))
    hour = (shop.calendar.half_day_start(2 * day) + int(rng.integers(3, 20)) * HOUR) // HOUR * HOUR
    times = np.sort(hour + rng.integers(60 * MICROSECONDS, 59 * 60 * MICROSECONDS, n_events))
    date, lines = shop.calendar.date(day), []
    for number, (time, text) in enumerate(zip(times.tolist(), iso_times(times), strict=True)):
        item = int(rng.integers(shop.n_items))
        record = {
            "event_id": f"b-{date}-{bot}-{number}",
            "event_time": text,
            "event_type": "view",
            "user_id": f"visitor-{date}-{bot}",
            "item_id": catalogue.item_ids[item],
            "category_id": catalogue.category_ids[catalogue.category[item]],
        }
        lines.append(DeliveredLine("bot", json.dumps(record), time))
    return lines


def in_delivered_order(
    lines: list[DeliveredLine], disorder_minutes: float, rng: np.random.Generator
) -> list[DeliveredLine]:
    """Return the lines by time, each shifted by some minutes: nearly in order, as several writers would leave them.

    Late lines stand among those of the day they come with.
    """
    shift = rng.normal(0, disorder_minutes * 60 * MICROSECONDS + 1, len(lines))
    place = [line.time + move + DAY * (line.kind == "late") for line, move in zip(lines, shift, strict=True)]
    return [lines[index] for index in np.argsort(place, kind="stable")]
