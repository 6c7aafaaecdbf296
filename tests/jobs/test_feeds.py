"""Feeds of any format meet in one events table, each read and judged as its own log."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import Row, SparkSession

from conf.paths import Lake
from conf.source import Source
from jobs.errors import DeliveryError, UnlikelyDelivery
from jobs.events_reading import read_events
from jobs.pseudonyms import pseudonym
from tests.jobs.conftest import Ingest

KEY = b"a key for tests only"
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


def _shop(**changes: Any) -> Source:
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


def _clicks(folder: Path, day: date, n_bad: int = 0) -> None:
    lines: list[dict[str, Any]] = [
        {"at": _millis(day, 9), "name": "view_item_list", "user": {"id": 17850.0}, "items": [{"id": 1}, {"id": "2"}]},
        {"at": _millis(day, 10), "name": "view_item_list", "user": {"id": "17850"}, "items": []},
        {"at": _millis(day, 10), "name": "scroll"},
        *[{"at": str(n), "name": "view_item_list", "user": {"id": "x"}} for n in range(n_bad)],
    ]
    path = folder / str(day) / "clicks-1.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _deliver(folder: Path) -> Path:
    _clicks(folder, DAY)
    _clicks(folder, NEXT)
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


def _events(spark: SparkSession, home: Path) -> list[Row]:
    lake = Lake(home / "lake", "shop")
    days = {"first_event_date": DAY, "last_event_date": NEXT, "last_delivery_date": NEXT}
    rows = read_events(spark, lake, **days).collect()
    return sorted(rows, key=lambda row: (row.event_time, row.line_part, row.quantity or 0))


def test_events_of_all_feeds_meet_in_one_table(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """One shopper, whether a number, a float or text; every line of every feed counted once."""
    result = ingest_into(tmp_path, NEXT, _deliver(tmp_path / "logs"), _shop(max_rejected_share=0.5))
    assert {name: result[name] for name in ("n_lines", "n_events", "n_derived", "n_rejected", "n_not_yet")} == {
        "n_lines": 11,
        "n_events": 8,
        "n_derived": 2,
        "n_rejected": 3,
        "n_not_yet": 0,
    }
    assert result["rejected"] == {"ignored": 2, "half_record": 1}
    rows = _events(spark, tmp_path)
    assert {row.user_id for row in rows} == {pseudonym("17850", KEY), ""}
    assert [(row.event_type, row.item_id, row.price, row.quantity) for row in rows if row.event_date == DAY] == [
        ("stock", "1", 1_500_000, 5),
        ("stock", None, None, 6),
        ("view", "1", None, None),
        ("view", "2", None, None),
        ("view", None, None, None),
        ("purchase", "1", 3_333_333, 3),
    ]
    assert {row.category_id for row in rows if row.event_type == "stock"} == {"left", "right"}
    assert ingest_into(tmp_path, NEXT, tmp_path / "logs", _shop(max_rejected_share=0.5))["deliveries"] == []


def test_feed_with_too_many_rejected_lines_is_named(ingest_into: Ingest, tmp_path: Path) -> None:
    """Good lines of the other feeds can't outweigh it."""
    logs = _deliver(tmp_path / "logs")
    _clicks(logs, DAY, n_bad=3)
    orders = "date;customer;sku;total;n\n" + "".join(f"05.01.2026 11:00;{n};1;10;3\n" for n in range(50))
    (logs / "orders.csv").write_text(orders)
    with pytest.raises(UnlikelyDelivery, match=f"delivery_date={DAY} feed clicks: 3 of 5 lines .*60.0%"):
        ingest_into(tmp_path, DAY, logs, _shop())


def test_equal_lines_of_two_feeds_are_two_events(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """What a line means, its file says: a list of views and one of carts may hold the same lines."""
    feeds = []
    for name, kind in (("views", "view"), ("carts", "cart")):
        events = ORDERS["events"] | {"event_type": {"constant": kind}}  # type: ignore[operator]
        delivery = {"layout": "by_event_date", "files": [f"{name}.csv"]}
        feeds.append(ORDERS | {"name": name, "delivery": delivery, "events": events})
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "logs" / f"{name}.csv").write_text("date;customer;sku;total;n\n05.01.2026 11:00;7;1;10;3\n")
    result = ingest_into(tmp_path, DAY, tmp_path / "logs", _shop(feeds=feeds))
    assert (result["n_events"], result["n_rejected"]) == (2, 0)
    assert sorted(row.event_type for row in _events(spark, tmp_path)) == ["cart", "view"]


def test_file_of_two_feeds_is_refused(ingest_into: Ingest, tmp_path: Path) -> None:
    """Which of them reads it, the source has to say."""
    other = ORDERS | {"name": "returns"}
    with pytest.raises(DeliveryError, match=r"orders\.csv: matches feeds orders and returns of source shop"):
        ingest_into(tmp_path, DAY, _deliver(tmp_path / "logs"), _shop(feeds=[CLICKS, ORDERS, STOCK, other]))
