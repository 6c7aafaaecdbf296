"""Nested events and orders of several lines go through ingest with every line accounted for."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pyspark.sql import Row, SparkSession

from conf.id_form import keyed_id
from conf.paths import Lake
from conf.pseudonyms import pseudonym
from conf.specs.source import load_source
from jobs.events.events_reading import read_events
from tests.jobs.conftest import Ingest
from tests.jobs.formats.plain_events import SAMPLES

KEY = b"a key for tests only"


def _events(spark: SparkSession, home: Path, source: str, first: date, last: date) -> list[Row]:
    days = {"first_event_date": first, "last_event_date": last, "last_delivery_date": last}
    rows = read_events(spark, Lake(home / "lake", source), **days).collect()
    return sorted(rows, key=lambda row: (row.event_time, row.slate_id or "", row.line_part, row.item_id or ""))


def test_ga4_days_meet_in_one_table(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """Five lines of seven events, ten lines in all; each further item is a part of its line."""
    source = load_source("ga4").model_copy(update={"max_rejected_share": 0.7})
    result = ingest_into(tmp_path, date(2026, 1, 6), SAMPLES / "ga4", source)
    counts = {name: result[name] for name in ("n_lines", "n_events", "n_derived", "n_rejected", "n_not_yet")}
    assert counts == {"n_lines": 10, "n_events": 5, "n_derived": 2, "n_rejected": 5, "n_not_yet": 0}
    rows = _events(spark, tmp_path, "ga4", date(2026, 1, 5), date(2026, 1, 6))
    assert [(row.event_type, row.line_part, row.item_id, row.price) for row in rows] == [
        ("impression", 0, "SKU-1", 19_990_000),
        ("impression", 1, "SKU-2", 25_000_000),
        ("click", 0, "SKU-2", 25_000_000),
        ("purchase", 0, "SKU-2", 25_000_000),
        ("purchase", 1, "7", 100_000),
        ("refund", 0, "SKU-2", 25_000_000),
        ("cart", 0, "SKU-1", 19_990_000),
    ]
    assert {row.user_id for row in rows} == {
        pseudonym(one, KEY) for one in ("1234567890.1767607100", "987654321.1767000000")
    }


def test_shopify_orders_are_split_by_date_with_their_lines(
    ingest_into: Ingest, spark: SparkSession, tmp_path: Path
) -> None:
    """Filled lines go to their order's day; the same file again changes nothing."""
    source = load_source("shopify_orders").model_copy(update={"max_rejected_share": 0.4})
    result = ingest_into(tmp_path, date(2026, 1, 7), SAMPLES / "shopify_orders", source)
    assert result["deliveries"] == ["2026-01-05", "2026-01-07"]
    assert (result["n_lines"], result["n_events"], result["n_derived"]) == (5, 4, 1)
    assert result["rejected"] == {"missing_field": 1}
    rows = _events(spark, tmp_path, "shopify_orders", date(2026, 1, 5), date(2026, 1, 7))
    sold = [(row.slate_id, row.event_type, row.item_id, row.price, row.quantity, row.currency) for row in rows]
    assert sorted(sold, key=str) == sorted(
        [
            (keyed_id("#1001", KEY), "purchase", "MUG-1", 9_990_000, 2, "USD"),
            (keyed_id("#1001", KEY), "purchase", "Tote / Green", 39_990_000, 1, "USD"),
            (keyed_id("#1003", KEY), "purchase", "SOAP", 10_000_000, 3, "CAD"),
            (keyed_id("#1003", KEY), "refund", None, 12_500_000, 1, "CAD"),
            (keyed_id("#1003", KEY), "purchase", "GIFT", 0, 1, "CAD"),
        ],
        key=str,
    )
    assert ingest_into(tmp_path, date(2026, 1, 7), SAMPLES / "shopify_orders", source)["deliveries"] == []
