"""What names something in a parsed line is hashed before it leaves the worker, in further events of the line too."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import to_arrow_schema

from conf.id_form import keyed_id
from jobs.landing.parsed_lines import PARSED_SCHEMA
from jobs.parsing.hidden_names import HiddenNames

KEY = b"a key for tests only"
SCHEMA = to_arrow_schema(PARSED_SCHEMA, timezone="UTC")
FURTHER = SCHEMA.field("further").type.value_type
NAMES = ("event_id", "decision_id", "slate_id")


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    whole = [dict.fromkeys(SCHEMA.names) | {"further": []} | row for row in rows]
    return pa.RecordBatch.from_pylist(whole, schema=SCHEMA)


def event(**given: Any) -> dict[str, Any]:
    return dict.fromkeys([field.name for field in FURTHER]) | given


@pytest.mark.parametrize("first", [0, 1])
def test_names_are_hashed_and_all_else_stays(first: int) -> None:
    """Of any part of a batch; nulls stay null."""
    rows = [
        {"file": "a/b.csv", "event_id": "e", "decision_id": "d", "slate_id": "s", "item_id": "i", "line_hash": "l"},
        {"file": "a/b.csv", "further": [event(decision_id="d", item_id="j"), event(slate_id="s", event_type="view")]},
        {"file": "c", "decision_id": "d", "further": [event(item_id="k")]},
    ]
    given = batch(rows).slice(first)
    found = HiddenNames(KEY)(given).to_pylist()

    def hidden(row: dict[str, Any]) -> dict[str, Any]:
        names = {name: row[name] for name in ("file", *NAMES) if row.get(name) is not None}
        return row | {name: keyed_id(one, KEY) for name, one in names.items()}

    expected = [hidden(row) | {"further": [hidden(one) for one in row["further"]]} for row in given.to_pylist()]
    assert found == expected
    assert keyed_id("d", KEY) in str(found)


def test_lines_without_names_are_as_they_were() -> None:
    """A batch of rejected lines, and none at all."""
    assert (
        HiddenNames(KEY)(batch([{"reason": "unreadable"}])).to_pylist() == batch([{"reason": "unreadable"}]).to_pylist()
    )
    assert HiddenNames(KEY)(batch([])).num_rows == 0
