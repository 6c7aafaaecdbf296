"""Whatever a line holds, it is events or has a reason, and fits the columns: nothing raises."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conf.specs.source import Source, load_source
from conf.tables import REJECT_REASONS
from jobs.landing.parsed_lines import BatchParser, parsed_batch
from jobs.landing.raw_lines import LineBatch, LineFile
from tests.jobs.feed_shop import shop

DAY = date(2026, 1, 5)
GOOD = {"event_time": "2026-01-05T12:00:00Z", "event_type": "view", "user_id": "ann"}

NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(
        ["-1000", "1000", "999.9999999999999999", "9223372036854.775807", "1e19", "-1e19", "1e9999", "0e9999"]
    ),
)
TEXTS = st.one_of(st.text(max_size=8), st.text(alphabet="\ud800\udfff\0\uf700é\"',\r\n;", max_size=8))
TIMES = st.one_of(
    st.datetimes().map(str),
    st.sampled_from(["0001-01-01T00:00Z", "9999-12-31T23:59:59-18:00", "2026-01-05T12:00:00+99:99"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, TIMES),
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(TEXTS, below, max_size=3)),
    max_leaves=4,
)
FIELDS = [name for name in load_source("canonical").events.columns_of_fields if name != "derived"]


def _parse(source: Source, lines: list[str], header: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Every line as a row of the columns that Spark is given."""
    n_lines = len(lines)
    file = LineFile(Path("x"), "x", DAY)
    nothing = pa.array([""] * n_lines, pa.string())
    batch = LineBatch(file, np.arange(n_lines), np.zeros(n_lines, np.int64), pa.array(lines, pa.string()), nothing)
    parser = BatchParser(source, [header])
    rows: list[dict[str, Any]] = parsed_batch(batch, parser.parse(batch), str).to_pylist()
    assert parser.columns(batch, str).to_pylist() == rows
    assert [row["line_number"] for row in rows] == batch.numbers.tolist()
    assert {row["reason"] for row in rows} <= {None, *REJECT_REASONS}
    return rows


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_json_line_of_any_values(objects: list[dict[str, Any]]) -> None:
    """Canonical lines with anything in any field."""
    rows = _parse(load_source("canonical"), [json.dumps(GOOD | one) for one in objects])
    assert all(row["user_id"] is not None for row in rows if row["reason"] is None and row["event_type"] == "view")


@given(VALUES, VALUES, VALUES)
@settings(max_examples=100, deadline=None)
def test_nested_line_of_any_values(user: Any, items: Any, name: Any) -> None:
    """Paths that lead through anything."""
    line = {"at": 1_767_571_200_000, "name": name, "user": user, "items": items}
    _parse(shop().feeds_alone()["clicks"], [json.dumps(line), json.dumps(line | {"name": "view_item_list"})])


@given(st.lists(st.text(alphabet='1a9:.-;" \r\0\uf7ff0é,', max_size=60), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_delimited_line_of_any_text(lines: list[str]) -> None:
    """Quotes, delimiters and bytes that are no text, anywhere."""
    _parse(shop().feeds_alone()["orders"], lines, ("date", "customer", "sku", "total", "n"))


@pytest.mark.parametrize("name", ["price", "quantity", "position", "propensity"])
@given(value=NUMBERS)
@settings(max_examples=60, deadline=None)
def test_any_number_is_stored_or_bad(name: str, value: Any) -> None:
    """Without bounds of its own, a column holds what its type can."""
    source = load_source("canonical")
    mapping = getattr(source.events, name).model_copy(update={"above": None, "at_least": None, "at_most": None})
    unbounded = source.model_copy(update={"events": source.events.model_copy(update={name: mapping})})
    (row,) = _parse(unbounded, [json.dumps(GOOD | {name: value})])
    assert (row["reason"], row["detail"]) in {
        (None, None),
        ("bad_number", name),
        ("bad_number", f"{name} (a fraction)"),
    }
