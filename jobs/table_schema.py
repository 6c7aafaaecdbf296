"""The Spark schema of a table's columns."""

from __future__ import annotations

from typing import cast

from pyspark.sql.types import StructType

from conf.tables import Table


def table_schema(table: Table) -> StructType:
    """Return the columns in table order, all nullable, without the partition columns."""
    return cast("StructType", StructType.fromDDL(table.ddl))  # DDL with column names is always a struct
