"""The Spark schema of a table's columns."""

from __future__ import annotations

from typing import cast

from pyspark.sql.types import DataType, DateType, IntegerType, StructType

from conf.tables import Table


def table_schema(table: Table) -> StructType:
    """Return the columns in table order, all nullable, without the partition columns."""
    return struct_of(table.ddl)


def path_type(name: str) -> DataType:
    """Return the type of a column that stands in paths: dates, but for the number of a bucket."""
    return IntegerType() if name == "user_bucket" else DateType()


def struct_of(ddl: str) -> StructType:
    """Return the schema of columns as Spark's SQL writes them, names and types."""
    return cast("StructType", StructType.fromDDL(ddl))  # DDL with column names is always a struct
