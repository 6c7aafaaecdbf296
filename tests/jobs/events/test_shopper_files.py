"""Whole shoppers read from the published files: the same events as Spark reads, each once, whatever the parts."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from conf.event_types import EVENT_TYPE_RANK
from conf.paths import Lake
from conf.publication import Manifest, Pointer, swap_pointer
from conf.tables import EVENTS, SCHEMA_VERSION
from jobs.events import ordered_partitions, shopper_files
from jobs.events.event_columns import SESSION_COLUMNS
from jobs.events.events_reading import read_events
from jobs.events.line_events import buckets
from jobs.events.ordered_partitions import by_shopper
from jobs.events.shopper_files import ShopperFiles
from jobs.publishing.row_cells import write_cells
from jobs.publishing.row_pieces import arrow_schema
from jobs.publishing.table_schema import struct_of
from tests.jobs.event_rows import START, event

FIRST = START.date()
COLUMNS = (*SESSION_COLUMNS, "item_id", "amount")
SPAN = {"first_event_date": FIRST, "last_event_date": FIRST + timedelta(1), "last_delivery_date": FIRST + timedelta(2)}

Row = dict[str, Any]


def rows_of(seed: int, n: int) -> list[Row]:
    """Events of two days; some stand in the next delivery again, one there with another shopper's id."""
    chance = random.Random(seed)
    rows = []
    for number in range(n):
        day = FIRST + timedelta(chance.randint(0, 1))
        # Few moments, so that rank and id decide the order.
        minutes = (day - FIRST).days * 24 * 60 + 10 * chance.randint(0, 5)
        user = chance.choice(["", *(f"shopper {one}" for one in range(9))])
        one = event(f"e{chance.random()}", minutes, user_id=user, event_type=chance.choice(["view", "click", "cart"]))
        late = timedelta(chance.choice([0, 0, 0, 1]))
        rows.append(one | {"event_date": day, "delivery_date": day + late, "item_id": f"item {number}"})
        if number % 10 == 0 and not late:
            rows.append(rows[-1] | {"delivery_date": day + timedelta(1), "item_id": "again"})
        if number % 50 == 0 and not late:
            rows.append(rows[-1] | {"delivery_date": day + timedelta(1), "user_id": "shopper of late", "item_id": "x"})
    known = {(one["event_id"], one["delivery_date"], one["event_date"]): one for one in rows}
    return list(known.values())


def publish(lake: Lake, rows: Sequence[Row], schema: pa.Schema, n_buckets: int, said: int | None = None) -> None:
    """Publish the rows as ingest does: a partition a delivery, a file a day and bucket; pointers say how many."""
    names = [*schema.names, "event_date"]
    for day in sorted({one["delivery_date"] for one in rows}):
        some = [{name: one.get(name) for name in names} for one in rows if one["delivery_date"] == day]
        table = pa.Table.from_pylist(some, schema.append(pa.field("event_date", pa.date32())))
        cells = pa.array(buckets(table["user_id"].combine_chunks(), n_buckets), pa.int32())
        folder = lake.table(EVENTS.name) / "v-1" / f"delivery_date={day}"
        keys = ("user_id", "event_time", "event_id")
        write_cells(
            table.append_column("user_bucket", cells), schema, ("event_date", "user_bucket"), keys, folder, "part-0"
        )
        files = sorted(str(path.relative_to(lake.table(EVENTS.name))) for path in folder.rglob("*.parquet"))
        manifest = Manifest(
            table=EVENTS.name,
            partition=f"delivery_date={day}",
            schema_version=SCHEMA_VERSION,
            n_rows=len(some),
            content_hash=f"{len(some)}-0",
            spec_hash="",
            code_hash="",
            key_id="",
            horizon=day,
            inputs={},
        )
        pointer = Pointer(files=tuple(files), manifest=manifest, n_buckets=said)
        swap_pointer(Lake.pointer(lake.table(EVENTS.name), manifest.partition), pointer)


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made = Lake(tmp_path_factory.mktemp("lake"), "shop")
    publish(made, rows_of(seed=1, n=400), arrow_schema(EVENTS), n_buckets=3)
    return made


def files_of(spark: SparkSession, lake: Lake) -> ShopperFiles:
    found = shopper_files.shopper_files(spark, lake, n_buckets=3, **SPAN)
    assert found is not None
    return found


def handed_over(events: DataFrame | ShopperFiles, n_partitions: int) -> list[list[Row]]:
    """Return the rows of each shopper as they were handed over; each must come in one run of one part."""
    schema = struct_of(f"part string, {', '.join(f'{name} {_TYPES[name]}' for name in COLUMNS)}")

    def told(table: pa.Table) -> pa.Table:
        name = str(table["user_id"][0]) + str(len(table))
        return pa.table({"part": [name] * len(table), **{one: table[one] for one in COLUMNS}})

    rows = by_shopper(events, COLUMNS, told, schema, n_partitions=n_partitions).toArrow().to_pylist()
    runs: list[list[Row]] = []
    for row in rows:
        if not runs or (runs[-1][-1]["user_id"], runs[-1][-1]["part"]) != (row["user_id"], row["part"]):
            runs.append([])
        runs[-1].append(row)
    assert len(runs) == len({run[0]["user_id"] for run in runs})
    ordered = sorted(runs, key=lambda run: str(run[0]["user_id"]))
    return [[{name: row[name] for name in COLUMNS} for row in run] for run in ordered]


_TYPES = {column.name: column.type for column in EVENTS.columns} | {"event_date": "date", "delivery_date": "date"}


@pytest.mark.parametrize("n_partitions", [1, 3, 8, 40])
def test_workers_read_what_spark_reads(spark: SparkSession, lake: Lake, n_partitions: int) -> None:
    """The same events of the same shoppers in the same order; more parts than shoppers are no harm."""
    expected = handed_over(read_events(spark, lake, **SPAN), 2)
    assert len(expected) == 9
    assert all("again" not in {row["item_id"] for row in run} for run in expected)
    found = handed_over(files_of(spark, lake), n_partitions)
    assert found == expected
    orders = [[(r["event_time"], EVENT_TYPE_RANK[r["event_type"]], r["event_id"]) for r in run] for run in found]
    assert all(order == sorted(order) for order in orders)


@pytest.mark.parametrize(("said", "n_looked_at"), [(3, 0), (None, 12), (4, 12)])
def test_only_files_whose_pointer_says_nothing_of_their_buckets_are_looked_at(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: int | None, n_looked_at: int
) -> None:
    """Pointers of an earlier release don't say it, and others may say another number."""
    made, asked = Lake(tmp_path, "shop"), list[int]()
    publish(made, rows_of(seed=1, n=400), arrow_schema(EVENTS), n_buckets=3, said=said)
    agree = shopper_files._agree

    def noted(session: SparkSession, files: Sequence[tuple[Path, int]], n_buckets: int) -> bool:
        asked.append(len(files))
        return agree(session, files, n_buckets)

    monkeypatch.setattr(shopper_files, "_agree", noted)
    assert handed_over(files_of(spark, made), 2) == handed_over(read_events(spark, made, **SPAN), 2)
    assert asked == [n_looked_at]


def test_parts_share_a_bucket_without_overlap(spark: SparkSession, lake: Lake) -> None:
    """Bounds of one part are the next one's; the first and the last have none."""
    parts = files_of(spark, lake).parts(9)
    assert len(parts) > 3
    by_files: dict[Any, list[Any]] = {}
    for part in parts:
        by_files.setdefault(part.files, []).append((part.first, part.end))
    for bounds in by_files.values():
        assert bounds[0][0] is None
        assert bounds[-1][1] is None
        assert [one[1] for one in bounds[:-1]] == [one[0] for one in bounds[1:]]


def test_row_groups_without_the_part_s_shoppers_are_not_read(tmp_path: Path) -> None:
    """What the statistics rule out is skipped, and nothing else."""
    rows = pa.table({"user_id": ["a", "a", "b", "c"], "event_id": ["1", "2", "3", "4"]})
    path = tmp_path / "rows.parquet"
    pq.write_table(rows, path, row_group_size=1)
    wanted = pa.schema([("user_id", pa.string()), ("event_id", pa.string())])
    for first, end, expected, n_groups in ((None, "b", "12", 2), ("b", "c", "3", 1), ("b", None, "34", 2)):
        file = shopper_files.EventFile(path, FIRST, FIRST)
        part = shopper_files.ShopperPart((file,), first, end)
        found = shopper_files.read_part(part, ("user_id", "event_id"), wanted, {})
        assert "".join(found["event_id"].to_pylist()) == expected
        with pq.ParquetFile(path) as content:
            read = [number for number in range(4) if shopper_files._may_hold(content, number, part)]
        assert len(read) == n_groups


def test_columns_that_a_file_lacks_are_null(tmp_path: Path) -> None:
    """A file of an earlier release has fewer columns."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"user_id": ["a"], "event_id": ["1"]}), path)
    wanted = pa.schema([("user_id", pa.string()), ("event_id", pa.string()), ("amount", pa.int64())])
    part = shopper_files.ShopperPart((shopper_files.EventFile(path, FIRST, FIRST + timedelta(1)),))
    columns = ("user_id", "amount", "event_id", "delivery_date", "event_date")
    found = shopper_files.read_part(part, columns, wanted, {})
    day = FIRST + timedelta(1)
    assert found.to_pylist() == [dict(zip(columns, ("a", None, "1", day, FIRST), strict=True))]


def test_days_without_events_are_read_as_none(spark: SparkSession, tmp_path: Path) -> None:
    """Nothing is handed over where nothing was delivered."""
    files = shopper_files.shopper_files(spark, Lake(tmp_path, "shop"), n_buckets=3, **SPAN)
    assert files is not None
    assert handed_over(files, 2) == []


def test_files_of_other_buckets_are_left_to_spark(spark: SparkSession, tmp_path: Path) -> None:
    """One shopper's events might lie in two."""
    lake = Lake(tmp_path, "shop")
    publish(lake, rows_of(seed=2, n=40), arrow_schema(EVENTS), n_buckets=2)
    assert shopper_files.shopper_files(spark, lake, n_buckets=3, **SPAN) is None


def test_many_repetitions_are_left_to_spark(spark: SparkSession, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history delivered again would send every id to every worker."""
    monkeypatch.setattr(shopper_files, "MOST_REPEATED", 3)
    assert shopper_files.shopper_files(spark, lake, n_buckets=3, **SPAN) is None


def test_unknown_types_are_left_for_the_kernel_to_refuse() -> None:
    """They stand first; the columns' reader names them."""
    rows = pa.table(
        {"user_id": ["a", "a"], "event_time": [1, 1], "event_type": ["view", "odd"], "event_id": ["1", "2"]}
    )
    assert ordered_partitions.in_total_order(rows)["event_type"].to_pylist() == ["odd", "view"]
