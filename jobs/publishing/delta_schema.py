"""The columns of a table as a Delta table's metadata names them, from the types that the table declares."""

from __future__ import annotations

import json
import re
from typing import Any

from conf.tables import Table

_NAMES = {"int": "integer", "bigint": "long"}
_PATH_TYPES = {"user_bucket": "int"}  # the others are dates


def schema_string(table: Table) -> str:
    """Return the schema as JSON text: the columns of the files, then those of the path, all nullable."""
    declared = {column.name: column.type for column in table.columns}
    declared |= {name: _PATH_TYPES.get(name, "date") for name in table.partitioned_by}
    return json.dumps(_struct(declared))


def _struct(declared: dict[str, str]) -> dict[str, Any]:
    fields = [{"name": name, "type": _type(kind), "nullable": True, "metadata": {}} for name, kind in declared.items()]
    return {"type": "struct", "fields": fields}


def _type(declared: str) -> Any:
    if match := re.fullmatch(r"array<(.+)>", declared):
        return {"type": "array", "elementType": _type(match[1]), "containsNull": True}
    if match := re.fullmatch(r"struct<(.+)>", declared):
        # A comma within brackets belongs to a field's own type.
        parts = re.split(r",(?![^<(]*[>)])", match[1])
        return _struct(dict(part.split(":", 1) for part in parts))
    return _NAMES.get(declared, declared)
