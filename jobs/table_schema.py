"""The Spark schema of a table's columns."""

from __future__ import annotations

from pyspark.sql.types import StructType

from conf.tables import Table


def table_schema(table: Table) -> StructType:
    """The columns in table order, all nullable, without the partition columns."""
    schema = StructType.fromDDL(table.ddl)
    assert isinstance(schema, StructType)  # noqa: S101  (DDL with column names is a struct: for the type checker)
    return schema
