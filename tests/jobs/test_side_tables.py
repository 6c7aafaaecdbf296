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
from conf.specs.source import Source, load_source
from conf.tables import AVAILABILITY as AVAILABILITY_TABLE
from conf.tables import CONSENT, ITEMS
from conf.tables import CURRENCIES as CURRENCIES_TABLE
from conf.tables import ITEM_ATTRIBUTES as ITEM_ATTRIBUTES_TABLE
from conf.tables import SHOPPERS as SHOPPERS_TABLE
from jobs.errors import DeliveryError, UnlikelyDelivery
from jobs.events.events_reading import read_availability, read_earliest
from jobs.events.side_tables import read_side_table
from jobs.landing.raw_deliveries import raw_folder, read_raw_deliveries
from jobs.landing.raw_lines import LineFile
from jobs.publishing.content_hash import hash_aggregates, read_content_hash
from tests.frozen_home.unpacked_home import unpack_home
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


def counts(
    n_lines: int, n_accepted: int, rejected: dict[str, int], *, n_contradicted: int = 0, n_not_yet: int = 0
) -> dict[str, object]:
    return {
        "n_lines": n_lines,
        "n_accepted": n_accepted,
        "n_rejected": sum(rejected.values()),
        "rejected": rejected,
        "n_contradicted": n_contradicted,
        "n_not_yet": n_not_yet,
    }


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
        "items": counts(4, 2, {"bad_timestamp": 1}, n_not_yet=1),
        "availability": counts(3, 2, {"unreadable": 1}, n_contradicted=1),
        "consent": counts(2, 2, {}),
        "shoppers": counts(2, 1, {"missing_field": 1}),
        "currencies": counts(2, 1, {"bad_number": 1}),
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


def test_one_file_holds_items_and_their_further_attributes(
    ingest_into: Ingest, spark: SparkSession, tmp_path: Path
) -> None:
    """Each line is a row of `items` and, for each further attribute, one of `item_attributes`."""
    logs = delivered(tmp_path / "logs", FIRST, "1;01.01.2026;Möbel;2.5;1\n")
    further = {"item_id": {"column": "sku"}, "group_name": {"column": "group"}, "pieces": {"column": "pack"}}
    beside = MAPPED_ITEMS | {
        "files": ["**/items.csv"],
        "encoding": "latin-1",
        "columns": further,
        "beside_events": True,
    }
    ingest_into(tmp_path, FIRST, logs, Source.model_validate(shop().model_dump() | {"item_attributes": beside}))
    lake = Lake(tmp_path / "lake", "canonical")
    assert [row.item_id for row in read_earliest(spark, ITEMS, lake, FIRST).collect()] == ["1"]
    rows = read_earliest(spark, ITEM_ATTRIBUTES_TABLE, lake, FIRST).collect()
    assert {(row.item_id, row.attribute, row.value) for row in rows} == {
        ("1", "group_name", "Möbel"),
        ("1", "pieces", "1"),
    }


def test_tables_without_columns_follow_the_same_rules(ingest_into: Ingest, spark: SparkSession, tmp_path: Path) -> None:
    """Ids are one id however they are written, null words are missing, and what can't be read rejects its line."""
    at = f'"valid_from": "{FIRST}T00:00:00Z"'
    good = [
        f'{{"item_id": 17850.0, {at}, "price": "2.5", "cost": "nan", "category_id": "NULL"}}',
        *[f'{{"item_id": "i{n}", {at}, "price": {n}}}' for n in range(9)],
    ]
    bad = [f'{{"item_id": "x", {at}, "cost": "12,50"}}', f'{{"item_id": true, {at}}}']
    logs = tmp_path / "logs"
    deliver(logs, FIRST, day_lines(FIRST))
    deliver(logs, FIRST, [*good, *bad], "items.jsonl")
    sets = [f'{{"availability_id": "none", {at}, "actions": []}}', f'{{"availability_id": 1, {at}, "actions": [2.0]}}']
    deliver(logs, FIRST, sets, "availability.jsonl")

    result = ingest_into(tmp_path, FIRST, logs)
    assert result["side_tables"] == {
        "items": counts(12, 10, {"bad_id": 1, "bad_number": 1}),
        "availability": counts(2, 2, {}),
    }
    lake = Lake(tmp_path / "lake", "canonical")
    items = {row.item_id: row for row in read_earliest(spark, ITEMS, lake, FIRST).collect()}
    known = items["17850"]
    assert (known.price, known.cost, known.category_id, len(items)) == (2_500_000, None, None, 10)
    known_sets = read_availability(spark, lake, last_delivery_date=FIRST).collect()
    assert {row.availability_id: row.actions for row in known_sets} == {"none": [], "1": ["2"]}


def test_rows_that_contradict_each_other_are_counted(ingest_into: Ingest, tmp_path: Path) -> None:
    """The manifest says of how many keys; one of the rows stands, whichever came first."""
    told = ["1;01.01.2026;x;2.5;1", "1;01.01.2026;x;3;1", "1;01.01.2026;x;;1", "2;01.01.2026;x;1;1", ""]
    logs = delivered(tmp_path / "logs", FIRST, "\n".join(told))
    below = next(logs.rglob(f"*{FIRST}*"))
    (below / "customers.jsonl").write_text('{"who": 2, "tier": "gold"}\n{"who": 2, "tier": "iron"}\n{"who": 3}\n')

    sides = ingest_into(tmp_path, FIRST, logs, shop())["side_tables"]
    assert (sides["items"]["n_contradicted"], sides["shoppers"]["n_contradicted"]) == (1, 1)
    lake = Lake(tmp_path / "lake", "canonical")
    manifest = read_pointers(lake.table("items"))[f"delivery_date={FIRST}"].manifest
    assert (manifest.n_rows, manifest.counters["n_accepted"], manifest.counters["n_contradicted"]) == (2, 4, 1)


@pytest.mark.xdist_group("frozen_home")
def test_an_earlier_home_makes_the_same_rows(spark: SparkSession, tmp_path: Path) -> None:
    """Items and sets of the frozen home's landed files, which an earlier release read by other code."""
    lake, shop_source = Lake(unpack_home(tmp_path) / "lake", "simulated_shop"), load_source("simulated_shop")
    landed = read_raw_deliveries(lake)
    for table in (ITEMS, AVAILABILITY_TABLE):
        files = [
            LineFile(raw_folder(lake) / file.stored(shop_source), file.name, day)
            for day, delivery in landed.items()
            for file in delivery.of_kind(table.name)
        ]
        rows = read_side_table(spark, table.name, files, [], shop_source, KEY).rows
        found = rows.groupBy("delivery_date").agg(*hash_aggregates(table)).collect()
        was = read_pointers(lake.table(table.name))
        assert len(was) == 14
        assert {f"delivery_date={row['delivery_date']}": read_content_hash(row) for row in found} == {
            name: pointer.manifest.content_hash for name, pointer in was.items()
        }


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
