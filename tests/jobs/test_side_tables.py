"""Side tables of any format are ingested beside the events, each line counted."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.pseudonyms import pseudonym
from conf.publication import read_pointers
from conf.specs.source import Source
from conf.tables import CONSENT, ITEMS
from conf.tables import CURRENCIES as CURRENCIES_TABLE
from conf.tables import SHOPPERS as SHOPPERS_TABLE
from jobs.errors import DeliveryError, UnlikelyDelivery
from jobs.events.events_reading import read_availability, read_earliest
from tests.jobs.conftest import Ingest
from tests.jobs.event_rows import source
from tests.jobs.parsing.test_side_parsing import ITEMS as MAPPED_ITEMS
from tests.jobs.shop_logs import DAYS, day_lines, deliver

FIRST, SECOND = DAYS[:2]
KEY = b"a key for tests only"

AVAILABILITY = {
    "files": ["**/sets.jsonl"],
    "columns": {"availability_id": {"column": "id"}, "actions": {"column": "can[]"}},
}
CONSENTS = {
    "files": ["**/consent.parquet"],
    "format": "parquet",
    "columns": {"user_id": {"column": "who"}, "is_given": {"column": "ok"}},
}


SHOPPERS = {
    "files": ["**/customers.jsonl"],
    "columns": {"user_id": {"column": "who"}, "tier": {"column": "tier"}, "country": {"column": "land"}},
}
CURRENCIES = {
    "files": ["**/rates.csv"],
    "format": "csv",
    "csv": {"has_header": True},
    "columns": {"currency": {"column": "unit"}, "rate": {"column": "worth"}},
}


def shop() -> Source:
    items = MAPPED_ITEMS | {"files": ["**/items.csv"], "encoding": "latin-1"}
    tables = {"items": items, "availability": AVAILABILITY, "consent": CONSENTS, "shoppers": SHOPPERS}
    changes = {"max_rejected_share": 0.5, "currency": "EUR", "currencies": CURRENCIES}
    return Source.model_validate(source().model_dump() | tables | changes)


def delivered(folder: Path, day: date, items: str) -> Path:
    deliver(folder, day, day_lines(day))
    below = next(folder.rglob(f"*{day}*"))
    (below / "items.csv").write_bytes(f"sku;since;group;eur;pack\n{items}".encode("latin-1"))
    return folder


def test_lines_of_any_format_are_rows_or_counted(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """Latin-1 items behind semicolons, sets as lists, consent in Parquet, ids as numbers; the next day isn't due."""
    logs = delivered(
        tmp_path / "logs", FIRST, "1;01.01.2026;Möbel;2.5;1\n1;01.01.2026;Möbel;2.5;1\n2;yesterday;x;1;1\n"
    )
    below = next(logs.rglob(f"*{FIRST}*"))
    (below / "sets.jsonl").write_text('{"id": "s", "can": ["b", "a"]}\n{"id": "s", "can": ["c"]}\n{"id": 1\n')
    pq.write_table(pa.table({"who": [17850, 2], "ok": [True, False]}), below / "consent.parquet")
    (below / "customers.jsonl").write_text('{"who": 2, "tier": "gold"}\n{"tier": "gold"}\n')
    (below / "rates.csv").write_text("unit,worth\nUSD,0.9215\nGBP,none\n")
    delivered(logs, SECOND, "3;01.01.2026;x;1;1\n")

    result = ingest_into(tmp_path, FIRST, logs, shop())
    assert result["side_tables"] == {
        "items": {"n_lines": 4, "n_accepted": 2, "n_rejected": 1, "rejected": {"bad_timestamp": 1}, "n_not_yet": 1},
        "availability": {"n_lines": 3, "n_accepted": 2, "n_rejected": 1, "rejected": {"unreadable": 1}, "n_not_yet": 0},
        "consent": {"n_lines": 2, "n_accepted": 2, "n_rejected": 0, "rejected": {}, "n_not_yet": 0},
        "shoppers": {"n_lines": 2, "n_accepted": 1, "n_rejected": 1, "rejected": {"missing_field": 1}, "n_not_yet": 0},
        "currencies": {"n_lines": 2, "n_accepted": 1, "n_rejected": 1, "rejected": {"bad_number": 1}, "n_not_yet": 0},
    }
    lake = Lake(tmp_path / "lake", "canonical")
    (item,) = read_earliest(spark, ITEMS, lake, SECOND).collect()
    assert (item.item_id, item.category_id, item.price) == ("1", "Möbel", 2_500_000)
    assert item.valid_from == datetime(2026, 1, 1)
    (known,) = read_availability(spark, lake, last_delivery_date=SECOND).collect()
    assert (known.availability_id, known.actions, known.valid_from) == ("s", ["a", "b", "c"], datetime(2026, 1, 5))
    given = {row.user_id: row.is_given for row in read_earliest(spark, CONSENT, lake, SECOND).collect()}
    assert given == {pseudonym("17850", KEY): True, pseudonym("2", KEY): False}
    attributes = read_earliest(spark, SHOPPERS_TABLE, lake, SECOND).collect()
    told = {(row.user_id, row.attribute, row.value) for row in attributes}
    assert told == {(pseudonym("2", KEY), "tier", "gold"), (pseudonym("2", KEY), "country", None)}
    (rate,) = read_earliest(spark, CURRENCIES_TABLE, lake, SECOND).collect()
    assert (rate.currency, rate.rate) == ("USD", "0.9215")
    manifest = read_pointers(lake.table("items"))[f"delivery_date={FIRST}"].manifest
    assert manifest.counters == {"n_lines": 3, "n_accepted": 2, "n_rejected": 1, "rejected.bad_timestamp": 1}
    assert ingest_into(tmp_path, FIRST, logs, shop())["deliveries"] == []


def test_side_table_that_cannot_be_right_stops_the_delivery(ingest_into: Ingest, tmp_path: Path) -> None:
    """Two of three lines in other dates than the source says."""
    logs = delivered(tmp_path / "logs", FIRST, "1;2026-01-01;x;1;1\n2;2026-01-01;x;1;1\n3;01.01.2026;x;1;1\n")
    with pytest.raises(UnlikelyDelivery, match=r"2026-01-05 items: 2 of 3 lines are rejected: 2 bad_timestamp"):
        ingest_into(tmp_path, FIRST, logs, shop())


def test_side_table_with_another_header_is_refused(ingest_into: Ingest, tmp_path: Path) -> None:
    logs = delivered(tmp_path / "logs", FIRST, "")
    next(logs.rglob("items.csv")).write_text("sku;since;grp;eur;pack\n1;01.01.2026;x;1;1\n")
    with pytest.raises(DeliveryError, match=r"items\.csv: the header doesn't fit .*'group' is missing"):
        ingest_into(tmp_path, FIRST, logs, shop())
