"""Feeds of any format meet in one events table, each read and judged as its own log."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession

from conf.paths import Lake
from conf.pseudonyms import pseudonym
from jobs.errors import DeliveryError, UnlikelyDelivery
from jobs.events.events_reading import read_events
from tests.jobs.conftest import Ingest
from tests.jobs.feed_shop import CLICKS, DAY, NEXT, ORDERS, STOCK, deliver_clicks, deliver_feeds, shop

KEY = b"a key for tests only"


def _events(spark: SparkSession, home: Path) -> list[Row]:
    lake = Lake(home / "lake", "shop")
    days = {"first_event_date": DAY, "last_event_date": NEXT, "last_delivery_date": NEXT}
    rows = read_events(spark, lake, **days).collect()
    return sorted(rows, key=lambda row: (row.event_time, row.line_part, row.quantity or 0))


def test_events_of_all_feeds_meet_in_one_table(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """One shopper, whether a number, a float or text; every line of every feed counted once."""
    result = ingest_into(tmp_path, NEXT, deliver_feeds(tmp_path / "logs"), shop(max_rejected_share=0.5))
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
    assert ingest_into(tmp_path, NEXT, tmp_path / "logs", shop(max_rejected_share=0.5))["deliveries"] == []


def test_feed_with_too_many_rejected_lines_is_named(ingest_into: Ingest, tmp_path: Path) -> None:
    """Good lines of the other feeds can't outweigh it."""
    logs = deliver_feeds(tmp_path / "logs")
    deliver_clicks(logs, DAY, n_bad=3)
    orders = "date;customer;sku;total;n\n" + "".join(f"05.01.2026 11:00;{n};1;10;3\n" for n in range(50))
    (logs / "orders.csv").write_text(orders)
    with pytest.raises(UnlikelyDelivery, match=f"delivery_date={DAY} feed clicks: 3 of 5 lines .*60.0%"):
        ingest_into(tmp_path, DAY, logs, shop())


def test_equal_lines_of_two_feeds_are_two_events(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """What a line means, its file says: a list of views and one of carts may hold the same lines."""
    feeds = []
    for name, kind in (("views", "view"), ("carts", "cart")):
        events = ORDERS["events"] | {"event_type": {"constant": kind}}  # type: ignore[operator]
        delivery = {"layout": "by_event_date", "files": [f"{name}.csv"]}
        feeds.append(ORDERS | {"name": name, "delivery": delivery, "events": events})
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "logs" / f"{name}.csv").write_text("date;customer;sku;total;n\n05.01.2026 11:00;7;1;10;3\n")
    result = ingest_into(tmp_path, DAY, tmp_path / "logs", shop(feeds=feeds))
    assert (result["n_events"], result["n_rejected"]) == (2, 0)
    assert sorted(row.event_type for row in _events(spark, tmp_path)) == ["cart", "view"]


def test_file_of_two_feeds_is_refused(ingest_into: Ingest, tmp_path: Path) -> None:
    """Which of them reads it, the source has to say."""
    other = ORDERS | {"name": "returns"}
    with pytest.raises(DeliveryError, match=r"orders\.csv: matches feeds orders and returns of source shop"):
        ingest_into(tmp_path, DAY, deliver_feeds(tmp_path / "logs"), shop(feeds=[CLICKS, ORDERS, STOCK, other]))
