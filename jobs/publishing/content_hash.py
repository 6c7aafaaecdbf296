"""Hashes of what rows say, whatever their order, partitioning or files.

A row is hashed twice with xxhash64, behind different leading literals; the two are summed over the rows, each modulo
2**64, so equal rows count as often as they stand there. xxhash64 passes over nulls and runs arrays together, so every
value goes in with a flag of its absence, and arrays as their size and the hashes of their elements.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from conf.tables import Table
from jobs.errors import CheckError
from jobs.publishing.table_schema import table_schema

CHAINS = ("nightcart row, first half", "nightcart row, second half")
_LOW_HALF = 0xFFFFFFFF


def content_hashes(frame: DataFrame, table: Table, by: Sequence[str]) -> dict[tuple[str, ...], str]:
    """Return `<rows>-<hex>` for each partition, by the values (as strings) of the columns that name it, in one pass."""
    keys = [F.col(name).cast("string").alias(name) for name in by]
    rows = frame.groupBy(*keys).agg(*hash_aggregates(table)).collect()
    return {tuple(row[name] for name in by): read_content_hash(row) for row in rows}


def content_hash(frame: DataFrame, table: Table) -> str:
    """Return `<rows>-<hex>` of the whole frame."""
    return read_content_hash(frame.agg(*hash_aggregates(table)).collect()[0])


def hash_aggregates(table: Table) -> list[Column]:
    """Return aggregates over a frame with the table's columns that `read_content_hash` turns into a content hash."""
    values = _table_values(table)
    aggregates = [F.count(F.lit(1)).alias("_n_rows")]
    for number, chain in enumerate(CHAINS):
        row_hash = F.xxhash64(F.lit(chain), *values)
        # A sum of bigints would overflow: the upper and the lower 32 bits are summed apart.
        aggregates.append(F.sum(F.shiftright(row_hash, 32)).alias(f"_upper_{number}"))
        aggregates.append(F.sum(row_hash.bitwiseAND(F.lit(_LOW_HALF).cast("bigint"))).alias(f"_lower_{number}"))
    return aggregates


def read_content_hash(row: Row) -> str:
    """Return the content hash in a row of `hash_aggregates`."""
    sums = [((row[f"_upper_{n}"] or 0) * 2**32 + (row[f"_lower_{n}"] or 0)) % 2**64 for n in range(len(CHAINS))]
    return format_content_hash(row["_n_rows"], *sums)


def format_content_hash(n_rows: int, first: int = 0, second: int = 0) -> str:
    """Return `<rows>-<hex>` of a row count and its sums; without sums, that of no rows at all."""
    return f"{n_rows}-{first:016x}{second:016x}"


def row_hash(table: Table) -> Column:
    """Return a 64-bit hash of a row's values, to order the table's rows by what they say."""
    return F.xxhash64(*_table_values(table))


def _table_values(table: Table) -> list[Column]:
    schema = table_schema(table)
    hashed = [column.name for column in table.columns if column.is_hashed]
    return [part for name in hashed for part in _hashed_values(F.col(f"`{name}`"), schema[name].dataType)]


def _hashed_values(value: Column, kind: DataType) -> list[Column]:
    """Return what goes into the hash for a value: whether it is null, and a text that no other value shares."""
    if isinstance(kind, MapType):
        raise CheckError("a map has no order to hash in; use an array of structs")
    if isinstance(kind, StructType):
        fields = [part for field in kind.fields for part in _hashed_values(value.getField(field.name), field.dataType)]
        return [value.isNull(), *fields]
    if isinstance(kind, ArrayType):
        element = kind.elementType
        hashes = F.transform(value, lambda one: F.xxhash64(*_hashed_values(one, element)))
        return [value.isNull(), F.coalesce(F.size(value), F.lit(-1)), hashes]
    return [value.isNull(), value]
