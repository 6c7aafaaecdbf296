"""Pieces of partitions are joined to sorted files that hold what Spark's would: the same rows, read by anyone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.tables import Column, Table
from jobs.publishing.row_pieces import Piece, arrow_schema, join_files, join_pieces, read_pieces, write_pieces
from jobs.publishing.written_rows import read_written

TABLE = Table(
    name="visits",
    key=("id",),
    partitioned_by=("date",),
    columns=(
        Column("id", "string", "who"),
        Column("moment", "timestamp", "when"),
        Column("seen", "array<bigint>", "what"),
        Column("share", "decimal(18,15)", "how much", is_nullable=True),
        Column("of", "struct<n:bigint,names:array<string>>", "of what"),
    ),
)
SCHEMA = pa.schema(
    {
        "id": pa.string(),
        "moment": pa.timestamp("us", "UTC"),
        "seen": pa.list_(pa.int64()),
        "share": pa.decimal128(18, 15),
        "of": pa.struct({"n": pa.int64(), "names": pa.list_(pa.string())}),
    }
)
FIRST, SECOND = date(2026, 1, 1), date(2026, 1, 2)


def rows(*ids: str, days: tuple[date, ...]) -> pa.Table:
    n = len(ids)
    return pa.table(
        {
            "id": pa.array(ids),
            "moment": pa.array(range(n, 0, -1), pa.int64()).cast(pa.timestamp("us", "UTC")),
            "seen": pa.array([list(range(place)) for place in range(n)], pa.list_(pa.int64())),
            "share": pa.array([None] * n, pa.decimal128(18, 15)),
            "of": pa.array([{"n": place, "names": [name]} for place, name in enumerate(ids)]),
            "date": pa.array(days, pa.date32()),
        }
    )


def test_each_partition_has_its_own_piece(tmp_path: Path) -> None:
    made = rows("a", "b", "c", days=(SECOND, FIRST, SECOND))

    pieces = write_pieces(made, SCHEMA, "date", tmp_path)

    assert [one.value for one in pieces] == [str(FIRST), str(SECOND)]
    assert [read_pieces([one.path])["id"].to_pylist() for one in pieces] == [["b"], ["a", "c"]]
    assert read_pieces([pieces[0].path]).schema == SCHEMA


def test_no_rows_make_no_piece(tmp_path: Path) -> None:
    assert write_pieces(rows(days=()), SCHEMA, "date", tmp_path / "pieces") == []


def test_a_column_of_another_type_is_no_piece(tmp_path: Path) -> None:
    made = rows("a", days=(FIRST,))
    place = made.schema.get_field_index("moment")

    with pytest.raises(pa.ArrowInvalid):
        write_pieces(made.set_column(place, "moment", pa.array(["yesterday"])), SCHEMA, "date", tmp_path)


def test_files_are_sorted_over_all_pieces(tmp_path: Path) -> None:
    pieces = [
        one for n in (3, 2) for one in write_pieces(rows(*"abc"[:n], days=(FIRST,) * n), SCHEMA, "date", tmp_path)
    ]

    n_rows = join_files([one.path for one in pieces], ("moment", "id"), tmp_path / "joined")

    found = pq.read_table(next((tmp_path / "joined").iterdir()))
    assert n_rows == 5
    assert list(zip(found["moment"].cast(pa.int64()).to_pylist(), found["id"].to_pylist(), strict=True)) == [
        (1, "b"),
        (1, "c"),
        (2, "a"),
        (2, "b"),
        (3, "a"),
    ]
    assert found.schema.field("moment").type == pa.timestamp("us", "UTC")


def test_spark_reads_what_was_joined_and_only_what_was_named(spark: SparkSession, tmp_path: Path) -> None:
    made, pieces = rows("a", "b", "c", days=(SECOND, FIRST, SECOND)), tmp_path / "_pieces"
    named = write_pieces(made, SCHEMA, "date", pieces)
    write_pieces(made, SCHEMA, "date", pieces)  # of a task that ran twice

    join_pieces(spark, named, partition_column="date", sort_columns=("moment",), folder=tmp_path / "rows")

    assert [field.type for field in arrow_schema(TABLE)] == SCHEMA.types
    read = read_written(spark, TABLE, tmp_path / "rows", ["date"]).toArrow().to_pylist()
    expected = [{**row, "date": str(row["date"])} for row in made.to_pylist()]
    assert sorted(read, key=lambda row: row["id"]) == expected
    assert not any(one.path.exists() for one in named)


def test_nothing_is_joined_of_nothing(spark: SparkSession, tmp_path: Path) -> None:
    join_pieces(spark, list[Piece](), partition_column="date", sort_columns=(), folder=tmp_path / "rows")

    assert not (tmp_path / "rows").exists()
