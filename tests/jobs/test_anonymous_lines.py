"""Receipts that name nobody are one shopper a line, over files, days and ways to deliver them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.specs.source import Source
from jobs.events.events_reading import read_events
from tests.jobs.conftest import Ingest
from tests.jobs.shop_logs import DAYS

FIRST, SECOND, _ = DAYS


def _till(layout: str, **changes: Any) -> Source:
    return Source.model_validate(
        {
            "name": "till",
            "title": "Receipts",
            "format": "csv",
            "csv": {"has_header": True, "line_number": "row", "file_name": "file"},
            "delivery": {"layout": layout, "files": ["**/*.csv"]},
            "events": {
                "event_time": {"column": "at", "unit": "iso"},
                "event_type": {"constant": "purchase"},
                "user_id": {"columns": ["file", "row"], "required": True},
                "order_id": {"columns": ["file", "row"]},
                "category_id": {"column": "file"},
                "item_id": {"column": "sku"},
                "ignore_where": [{"column": "sku", "values": ["void"]}],
            },
            "duplicates": "reject",
            "session": {"gap_minutes": 30, "max_hours": 4},
            "decisions": {"kind": "implied", "event_type": "purchase"},
        }
        | changes
    )


@pytest.mark.parametrize("layout", ["dated_files", "by_event_date"])
def test_each_line_is_a_shopper(ingest_into: Ingest, spark: SparkSession, tmp_path: Path, layout: str) -> None:
    """Equal lines of two tills and two days are eight shoppers, and no repetitions; no path stands in the tables."""
    for day in (FIRST, SECOND):
        for till in ("north", "south"):
            path = tmp_path / "logs" / str(day) / f"secret-{till}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"at,sku\n{day}T10:00:00Z,1\n{day}T10:00:00Z,void\n{day}T10:00:00Z,1\n")
    result = ingest_into(tmp_path, SECOND, tmp_path / "logs", _till(layout))
    assert (result["n_events"], result["rejected"], result["drift"]) == (8, {"ignored": 4}, [])
    assert result["ignored_where"] == {"sku": 4}
    days = {"first_event_date": FIRST, "last_event_date": SECOND, "last_delivery_date": SECOND}
    rows = read_events(spark, Lake(tmp_path / "lake", "till"), **days).collect()
    assert len({row.user_id for row in rows}) == len({row.order_id for row in rows}) == 8
    assert len({row.category_id for row in rows}) == 4
    assert not any("secret" in str(value) for row in rows for value in row)
    assert ingest_into(tmp_path, SECOND, tmp_path / "logs", _till(layout))["deliveries"] == []
