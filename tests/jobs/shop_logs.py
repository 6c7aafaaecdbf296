"""Factories of delivered logs: canonical JSON lines, one folder a day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

DAYS = [date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)]


def line(day: date, minutes: float, **changes: Any) -> str:
    """A view by ann, some minutes after midnight (UTC) of the day."""
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minutes)
    row = {"event_time": at.isoformat(), "event_type": "view", "user_id": "ann", "item_id": "shoe"} | changes
    return json.dumps({name: value for name, value in row.items() if value is not None})


def day_lines(day: date) -> list[str]:
    """A day's events: two shoppers, one of them over midnight, with impressions, clicks and a purchase."""
    lines = [line(day, 600 + 5 * n, event_id=f"{day}-{n}", item_id=f"i{n % 4}") for n in range(10)]
    lines += [
        line(
            day,
            1425 + n,
            user_id="bob",
            event_type="impression",
            event_id=f"{day}-b{n}",
            item_id=f"i{n}",
            decision_id=f"{day}-{n}",
            action=f"i{n}",
            propensity="0.25",
            position=n,
        )
        for n in range(15)
    ]
    lines += [line(day, n, user_id="bob", event_type="click", item_id=f"i{n}") for n in range(3)]
    return [*lines, line(day, 1439, user_id="bob", event_type="purchase", price="19.99", quantity=2, currency="EUR")]


def deliver(folder: Path, day: date, lines: Sequence[str], name: str = "events.jsonl") -> None:
    """The lines are delivered as a file of the day."""
    path = folder / str(day) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")


def deliver_days(folder: Path, days: Sequence[date] = DAYS) -> Path:
    """Three days of a shop, with items and availability sets on the first."""
    for day in days:
        deliver(folder, day, day_lines(day))
    if DAYS[0] in days:
        at = f"{DAYS[0]}T00:00:00Z"
        deliver(
            folder,
            DAYS[0],
            [
                json.dumps(
                    {
                        "item_id": "i0",
                        "valid_from": at,
                        "price": "10",
                        "cost": "4.5",
                        "category_id": "shoes",
                        "pack_size": 1,
                        "volume": 2,
                    }
                )
            ]
            * 2,
            "items.jsonl",
        )
        sets = {"availability_id": "a1", "valid_from": at, "actions": ["i2", "i0", "i1", "i0"]}
        deliver(folder, DAYS[0], [*[json.dumps(sets)] * 4, "broken"], "availability.jsonl")
    return folder
