"""The Arrow schema of a table of the lake, from the types its columns declare."""

from __future__ import annotations

import re

import pyarrow as pa

from conf.tables import Table

_PLAIN = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def arrow_schema(table: Table) -> pa.Schema:
    """Return the table's columns, without the partition columns.

    >>> from conf.tables import AVAILABILITY
    >>> arrow_schema(AVAILABILITY).field("actions").type
    ListType(list<element: string>)
    """
    return pa.schema([pa.field(column.name, arrow_type(column.type)) for column in table.columns])


def arrow_type(declared: str) -> pa.DataType:
    """Return the Arrow type of a declared type.

    >>> arrow_type("struct<a:bigint,b:array<bigint>>").num_fields
    2
    """
    if declared in _PLAIN:
        return _PLAIN[declared]
    if match := re.fullmatch(r"decimal\((\d+),(\d+)\)", declared):
        return pa.decimal128(int(match[1]), int(match[2]))
    if match := re.fullmatch(r"array<(.+)>", declared):
        return pa.list_(pa.field("element", arrow_type(match[1])))
    if match := re.fullmatch(r"struct<(.+)>", declared):
        fields = [part.split(":", 1) for part in re.split(r",(?![^<(]*[>)])", match[1])]
        return pa.struct([pa.field(name, arrow_type(type_)) for name, type_ in fields])
    raise ValueError(f"no Arrow type for {declared!r}; declare it in rl/data/arrow_schema.py")
