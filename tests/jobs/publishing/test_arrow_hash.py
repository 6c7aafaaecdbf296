"""Hashes made over Arrow are Spark's, bit for bit."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.tables import Column, Table
from jobs.publishing.arrow_hash import SEED, fold, hash_text, hashed_values, row_hashes, row_marks, seeded_hashes
from jobs.publishing.content_hash import content_hash
from jobs.publishing.table_schema import table_schema
from jobs.publishing.written_hashes import file_sums

KINDS = {
    "flag": "boolean",
    "small": "int",
    "large": "bigint",
    "day": "date",
    "time": "timestamp",
    "share": "decimal(18,15)",
    "text": "string",
}
COLUMNS = tuple(Column(name, kind, "a value", is_nullable=True) for name, kind in KINDS.items())
TABLE = Table(
    name="sample",
    key=("text",),
    partitioned_by=(),
    columns=(
        *COLUMNS,
        Column("words", "array<string>", "a list", is_nullable=True),
        Column("ids", "array<bigint>", "a list", is_nullable=True),
        Column("nested", "struct<a:bigint,b:array<struct<c:bigint,d:string>>,e:array<bigint>>", "", is_nullable=True),
        Column("place", "bigint", "where it was found", is_hashed=False, is_nullable=True),
        Column("amount", "bigint", "gained later", is_nullable=True, is_later=True),
        Column("order_id", "string", "gained later", is_nullable=True, is_later=True),
    ),
)


def _text(rng: random.Random) -> str:
    return "".join(rng.choice("abcxyz019-é漢 ") for _ in range(rng.choice([0, 1, 3, 4, 7, 8, 12, 31, 32, 33, 64, 77])))


def _value(rng: random.Random, kind: str) -> Any:
    values = {
        "boolean": lambda: rng.random() < 0.5,
        "int": lambda: rng.randint(-(2**31), 2**31 - 1),
        "bigint": lambda: rng.choice([0, -1, rng.randint(-(2**63), 2**63 - 1)]),
        "date": lambda: date(1970, 1, 1) + timedelta(days=rng.randint(-100_000, 100_000)),
        "timestamp": lambda: datetime(1970, 1, 1) + timedelta(microseconds=rng.randint(-2 * 10**15, 2 * 10**15)),
        "decimal(18,15)": lambda: Decimal(rng.randint(-(10**18) + 1, 10**18 - 1)).scaleb(-15),
        "string": lambda: _text(rng),
    }
    return values[kind]() if rng.random() < 0.85 else None


def _row(rng: random.Random) -> dict[str, Any]:
    def some(kind: str) -> list[Any] | None:
        return [_value(rng, kind) for _ in range(rng.randint(0, 4))] if rng.random() < 0.9 else None

    below = [(_value(rng, "bigint"), _value(rng, "string")) if rng.random() < 0.9 else None for _ in range(2)]
    nested = (_value(rng, "bigint"), below if rng.random() < 0.9 else None, some("bigint"))
    return {name: _value(rng, kind) for name, kind in KINDS.items()} | {
        "words": some("string"),
        "ids": some("bigint"),
        "nested": nested if rng.random() < 0.9 else None,
        "place": 1,
        "amount": _value(rng, "bigint"),
        "order_id": _value(rng, "string"),
    }


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    rng = random.Random(7)
    return spark.createDataFrame([_row(rng) for _ in range(400)], table_schema(TABLE)).coalesce(1).cache()


def test_hash_of_each_kind_of_value_is_spark_s(frame: DataFrame) -> None:
    """Every type a table's column may have, and nulls, one after the other in one hash."""
    rows = frame.select(*KINDS, F.xxhash64(*KINDS).alias("expected")).toArrow().combine_chunks()
    found = np.full(rows.num_rows, SEED, dtype=np.uint64)
    for name in KINDS:
        found = fold(found, rows[name].combine_chunks())
    assert found.view(np.int64).tolist() == rows["expected"].to_pylist()


def test_hash_of_a_known_text() -> None:
    """XXH64 of `abc` with seed 0, as its author's own tool gives it."""
    assert hash_text("abc", 0) == 0x44BC2CF5AD770999


@pytest.mark.parametrize("kind", ["INT96", "TIMESTAMP_MICROS"])
def test_content_hash_of_a_file_is_that_of_its_rows(frame: DataFrame, tmp_path: Path, kind: str) -> None:
    """Lists, structures and lists of structures too, however Spark wrote the times."""
    conf, name = frame.sparkSession.conf, "spark.sql.parquet.outputTimestampType"
    before = str(conf.get(name))
    conf.set(name, kind)
    try:
        frame.write.parquet(str(tmp_path / "rows"))
    finally:
        conf.set(name, before)
    (path,) = (tmp_path / "rows").glob("*.parquet")
    found, _ = file_sums(path, TABLE)
    assert found.content_hash == content_hash(frame, TABLE)


def test_marks_tell_rows_apart_that_differ_in_one_part() -> None:
    """Whatever rows stand beside them: a row's mark is its own, and any other value in any place is another mark."""
    row: dict[str, Any] = {"a": 3, "b": [5, 6], "c": None, "d": False, "e": []}
    others = [{"a": 4}, {"a": None}, {"a": 0}, {"b": [6, 5]}, {"b": [5]}, {"b": [5, 6, 0]}, {"b": None}, {"c": 0}]
    others += [{"d": True}, {"d": None}, {"e": [0]}, {"e": None}]
    kinds = {"a": pa.int64(), "b": pa.list_(pa.int64()), "c": pa.int64(), "d": pa.bool_(), "e": pa.list_(pa.int64())}
    fields = pa.struct(list(kinds.items()))

    def marks(rows: list[dict[str, Any]]) -> list[int]:
        return [int(one) for one in row_marks(hashed_values(pa.array(rows, fields)))]

    together = marks([row, *(row | other for other in others), row])
    assert together[0] == together[-1] == marks([row])[0]
    assert len(set(together)) == len(others) + 1
    assert together[1:3] == marks([row | others[0], row | others[1]])


def test_hashes_of_several_seeds_are_those_of_each(frame: DataFrame) -> None:
    rows = frame.toArrow().combine_chunks()
    parts = [part for column in rows.itercolumns() for part in hashed_values(column.combine_chunks())]
    seeds = [SEED, 0, 2**64 - 1]
    assert [one.tolist() for one in seeded_hashes(parts, seeds)] == [row_hashes(parts, one).tolist() for one in seeds]
