"""Content hashes see every change of what rows say, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.tables import Column, Table
from jobs.publishing.content_hash import content_hash, content_hashes
from jobs.publishing.table_schema import table_schema

LATER = (
    Column("amount", "bigint", "gained later", is_nullable=True, is_later=True),
    Column("order_id", "string", "gained later", is_nullable=True, is_later=True),
    Column("cost", "bigint", "gained later", is_nullable=True, is_later=True),
)

TABLE = Table(
    name="sample",
    key=("id",),
    partitioned_by=("variant",),
    columns=(
        Column("id", "string", "id"),
        Column("first", "bigint", "a number", is_nullable=True),
        Column("second", "bigint", "another", is_nullable=True),
        Column("words", "array<string>", "a list", is_nullable=True),
        Column("more_words", "array<string>", "another list", is_nullable=True),
        Column("nested", "struct<a:bigint,b:array<struct<c:bigint,d:string>>>", "a structure", is_nullable=True),
        Column("place", "bigint", "where it was found", is_hashed=False),
    ),
)


def _row(row_id: str = "x", **changes: Any) -> dict[str, Any]:
    row = {
        "id": row_id,
        "first": 1,
        "second": 2,
        "words": ["a", "b"],
        "more_words": ["c"],
        "nested": (7, [(1, "one"), (2, "two")]),
        "place": 1,
    }
    return row | changes


BASE = [_row("x"), _row("y"), _row("z")]

SAME = {
    "base": BASE,
    "other order": [BASE[2], BASE[0], BASE[1]],
    "other places": [row | {"place": 99} for row in BASE],
}
DIFFERENT = {
    "one value": [_row("x", first=5), *BASE[1:]],
    "values swapped between columns": [_row("x", first=2, second=1), *BASE[1:]],
    "values swapped between rows": [_row("x", first=8), _row("y", first=9), _row("z")],
    "the same, the other way": [_row("x", first=9), _row("y", first=8), _row("z")],
    "a null": [_row("x", first=None), *BASE[1:]],
    "a null, the value moved": [_row("x", first=None, second=1), *BASE[1:]],
    "a null, in the other column": [_row("x", first=1, second=None), *BASE[1:]],
    "both null": [_row("x", first=None, second=None), *BASE[1:]],
    "an element moved to the next list": [_row("x", words=["a"], more_words=["b", "c"]), *BASE[1:]],
    "elements run together": [_row("x", words=["ab"]), *BASE[1:]],
    "other order of elements": [_row("x", words=["b", "a"]), *BASE[1:]],
    "an empty list": [_row("x", words=[]), *BASE[1:]],
    "no list": [_row("x", words=None), *BASE[1:]],
    "a null element": [_row("x", words=[None, "b"]), *BASE[1:]],
    "a null element elsewhere": [_row("x", words=["b", None]), *BASE[1:]],
    "an empty text in a list": [_row("x", words=["", "b"]), *BASE[1:]],
    "no structure": [_row("x", nested=None), *BASE[1:]],
    "a structure of nulls": [_row("x", nested=(None, None)), *BASE[1:]],
    "deep inside": [_row("x", nested=(7, [(1, "one"), (2, "TWO")])), *BASE[1:]],
    "a deep null": [_row("x", nested=(7, [(1, "one"), (2, None)])), *BASE[1:]],
    "a structure less": [_row("x", nested=(7, [(1, "one")])), *BASE[1:]],
    "a row twice": [*BASE, BASE[0]],
    "a row thrice": [*BASE, BASE[0], BASE[0]],
    "a row less": BASE[:2],
    "no row": [],
}


@pytest.fixture(scope="module")
def hashes(spark: SparkSession) -> dict[str, str]:
    """Content hash of every variant, from one pass over all of them, in several partitions."""
    names = table_schema(TABLE).names
    rows = [(*[row[name] for name in names], variant) for variant, some in (SAME | DIFFERENT).items() for row in some]
    frame = spark.createDataFrame(rows, table_schema(TABLE).add("variant", "string"))
    return {key[0]: one for key, one in content_hashes(frame.repartition(5), TABLE, ["variant"]).items()}


@pytest.mark.parametrize("variant", SAME)
def test_content_hash_stays(hashes: dict[str, str], variant: str) -> None:
    """Order and columns that aren't hashed don't matter."""
    assert hashes[variant] == hashes["base"]


def test_content_hash_differs_between_all_other_variants(hashes: dict[str, str]) -> None:
    """Every change of a value, a null, a boundary or a number of rows gives another hash."""
    others = {name: hashes.get(name, "no rows") for name in DIFFERENT} | {"base": hashes["base"]}
    assert len(set(others.values())) == len(others), others


def test_content_hash_starts_with_the_number_of_rows(hashes: dict[str, str]) -> None:
    """`<rows>-<128 bits>`."""
    rows, _, digits = hashes["a row twice"].partition("-")
    assert (rows, len(digits)) == ("4", 32)


def test_content_hash_of_no_rows_is_zero(spark: SparkSession) -> None:
    """A partition without rows has a hash too, the same as that of the whole empty frame."""
    assert content_hash(spark.createDataFrame([], table_schema(TABLE)), TABLE) == f"0-{'0' * 32}"


def test_content_hash_of_a_frame_equals_that_of_its_group(spark: SparkSession, hashes: dict[str, str]) -> None:
    """Hashing partitions together or alone gives the same."""
    names = table_schema(TABLE).names
    frame = spark.createDataFrame([tuple(row[name] for name in names) for row in BASE], table_schema(TABLE))
    assert content_hash(frame.withColumn("first", F.col("first")).coalesce(1), TABLE) == hashes["base"]


def test_later_columns_change_no_hash_where_they_are_null(spark: SparkSession) -> None:
    """Rows written before the table had them keep their hash, alone and as a whole."""
    grown = replace(TABLE, columns=(*TABLE.columns[:2], *LATER[:1], *TABLE.columns[2:], *LATER[1:]))
    before = spark.createDataFrame([tuple(row.values()) for row in BASE], table_schema(TABLE))
    nothing = [f"CAST(NULL AS {column.type}) {column.name}" for column in LATER]
    after = before.selectExpr("*", *nothing)
    assert content_hash(after, grown) == content_hash(before, TABLE)


def test_later_columns_are_hashed_where_they_are_not(spark: SparkSession) -> None:
    """A value, the same in another column, and in both: four hashes; 0 is a value."""
    grown = replace(TABLE, columns=(*TABLE.columns, *LATER))
    before = spark.createDataFrame([tuple(row.values()) for row in BASE], table_schema(TABLE))
    values = ["NULL, NULL, NULL", "0, NULL, NULL", "NULL, NULL, 0", "0, NULL, 0", "NULL, '0', NULL"]
    found = {
        content_hash(
            before.selectExpr(
                "*",
                *[
                    f"CAST({value} AS {column.type}) {column.name}"
                    for value, column in zip(given.split(", "), LATER, strict=True)
                ],
            ),
            grown,
        )
        for given in values
    }
    assert len(found) == len(values)
