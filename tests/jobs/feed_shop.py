"""A shop of three feeds: clicks in nested JSON, orders in Latin-1, stock in Parquet."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from conf.specs.source import Source

DAY, NEXT = date(2026, 1, 5), date(2026, 1, 6)

CLICKS = {
    "name": "clicks",
    "format": "jsonl",
    "delivery": {"layout": "dated_files", "files": ["**/clicks*.jsonl"]},
    "events": {
        "event_time": {"column": "at", "unit": "milliseconds"},
        "event_type": {"column": "name", "map": {"view_item_list": "view"}, "ignore": ["scroll"]},
        "user_id": {"column": "user.id"},
        "item_id": {"column": "items[].id"},
    },
}
ORDERS = {
    "name": "orders",
    "format": "csv",
    "csv": {"has_header": True, "delimiter": ";"},
    "encoding": "latin-1",
    "delivery": {"layout": "by_event_date", "files": ["orders.csv"]},
    "events": {
        "event_time": {"column": "date", "unit": "pattern", "pattern": "dd.MM.yyyy HH:mm"},
        "event_type": {"constant": "purchase"},
        "user_id": {"column": "customer"},
        "item_id": {"column": "sku"},
        "price": {"column": "total", "divided_by": "n"},
        "quantity": {"column": "n"},
    },
}
STOCK = {
    "name": "stock",
    "format": "parquet",
    "delivery": {"layout": "dated_files", "files": ["**/stock.parquet"]},
    "events": {
        "event_time": {"columns": ["day", "hour"], "unit": "iso"},
        "event_type": {"constant": "stock"},
        "user_id": {"column": "nobody"},
        "item_id": {"column": "item.id"},
        "category_id": {"column": "shelf"},
        "quantity": {"column": "n"},
        "price": {"column": "cost"},
    },
}


def shop(**changes: Any) -> Source:
    """The source, with changes."""
    content = {
        "name": "shop",
        "title": "A shop of feeds",
        "feeds": [CLICKS, ORDERS, STOCK],
        "duplicates": "reject",
        "session": {"gap_minutes": 30, "max_hours": 4},
        "decisions": {"kind": "implied", "event_type": "view"},
    }
    return Source.model_validate(content | changes)


def _millis(day: date, hour: int) -> int:
    return int(datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp()) * 1000


def deliver_clicks(folder: Path, day: date, n_bad: int = 0) -> None:
    """Two lists of items, one of them empty, a line that means nothing, and some whose time is long past."""
    lines: list[dict[str, Any]] = [
        {"at": _millis(day, 9), "name": "view_item_list", "user": {"id": 17850.0}, "items": [{"id": 1}, {"id": "2"}]},
        {"at": _millis(day, 10), "name": "view_item_list", "user": {"id": "17850"}, "items": []},
        {"at": _millis(day, 10), "name": "scroll"},
        *[{"at": str(n), "name": "view_item_list", "user": {"id": "x"}} for n in range(n_bad)],
    ]
    path = folder / str(day) / "clicks-1.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def deliver_feeds(folder: Path) -> Path:
    """Two days of clicks, a log of orders, one of them half a record, and a day's stock."""
    deliver_clicks(folder, DAY)
    deliver_clicks(folder, NEXT)
    header = "date;customer;sku;total;n;note\n"
    rows = ["05.01.2026 11:00;17850;1;10;3;café", "06.01.2026 11:00;17850;1;10;4;", "06.01.2026 12:00;17850;2;5"]
    (folder / "orders.csv").write_bytes((header + "".join(f"{row}\n" for row in rows)).encode("latin-1"))
    table = pa.table(
        {
            "day": pa.array([DAY, DAY], pa.date32()),
            "hour": pa.array([time(8), time(8)], pa.time64("us")),
            "nobody": pa.nulls(2),
            "item": pa.array([{"id": 1.0}, {"id": float("nan")}], pa.struct([("id", pa.float64())])),
            "shelf": pa.array([b"left", b"right"], pa.binary()),
            "n": pa.array([5, 6], pa.uint16()),
            "cost": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
        }
    )
    pq.write_table(table, folder / str(DAY) / "stock.parquet")
    return folder
