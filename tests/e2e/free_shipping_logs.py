"""A made shop that shows each session a threshold from which shipping is free, in canonical JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

THRESHOLDS = {"from_29": 29.0, "from_49": 49.0, "from_69": 69.0, "never": None}
SHIPPING = 4.9

Event = dict[str, Any]


def write_logs(folder: Path, *, first: date, n_days: int, n_shoppers: int, seed: int = 0) -> Path:
    """Write a file of events a day; each shopper comes on a third of the days."""
    rng = np.random.default_rng(seed)
    is_regular = rng.random(n_shoppers) < 0.4
    for day in (first + timedelta(days=number) for number in range(n_days)):
        path = folder / str(day) / "events.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        visitors = np.flatnonzero(rng.random(n_shoppers) < 1 / 3)
        lines = [line for one in visitors for line in _session(rng, int(one), day, is_regular=bool(is_regular[one]))]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def _session(rng: np.random.Generator, shopper: int, day: date, *, is_regular: bool) -> Iterator[Event]:
    """Show a threshold, drawn alike; who is near it adds to the basket, and the shop pays the carrier beyond it."""
    start = datetime(day.year, day.month, day.day, int(rng.integers(8, 20)), int(rng.integers(60)), tzinfo=UTC)
    action = str(rng.choice(list(THRESHOLDS)))
    decision = f"{day}-{shopper}"
    shared = {"user_id": f"shopper-{shopper}", "decision_id": decision}
    chance = {"propensity": 1 / len(THRESHOLDS), "policy_version": "drawn_alike"}
    yield shared | chance | {"event_type": "impression", "event_time": start.isoformat(), "action": action}
    viewed = (start + timedelta(minutes=2)).isoformat()
    yield shared | {"event_type": "view", "event_time": viewed, "item_id": f"sku-{rng.integers(50)}"}
    threshold = THRESHOLDS[action]
    if rng.random() >= (0.5 if is_regular else 0.25) * (1.0 if threshold is not None else 0.7):
        return
    basket = float(rng.gamma(4, 12 if is_regular else 8))
    if threshold is not None and threshold - 20 < basket < threshold:
        basket = threshold + 5 if rng.random() < 0.6 else basket
    bought = (start + timedelta(minutes=9)).isoformat()
    money = {"price": round(basket, 2), "quantity": 1, "currency": "EUR", "item_id": f"sku-{rng.integers(50)}"}
    yield shared | money | {"event_type": "purchase", "event_time": bought}
    if threshold is not None and basket >= threshold:
        yield shared | {"event_type": "promotion", "event_time": bought}
