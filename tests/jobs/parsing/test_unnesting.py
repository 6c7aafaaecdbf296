"""Records whose lists hold lines."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.errors import SpecError
from conf.specs.source import Source
from conf.specs.strict_yaml import parse_model
from jobs.parsing.event_parsing import EventParser
from jobs.parsing.raw_values import NumberText
from jobs.parsing.record_cutting import read_object
from jobs.parsing.unnesting import n_unnested, unnested
from tests.jobs.unnested_source import source_of_sessions

NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?", fullmatch=True).map(NumberText)
VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8) | NUMBERS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=8,
)


def written(value: Any) -> str:
    if isinstance(value, NumberText):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{written(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), st.lists(VALUES, max_size=5))
def test_each_element_stands_beside_all_that_its_record_says(record: dict[str, Any], elements: list[Any]) -> None:
    """Every number digit for digit, in order; and what came out is left as it is."""
    whole = {**record, "hits": elements}
    lines = unnested(written(whole), ["hits"])
    if any(isinstance(one, list) for one in elements):
        assert lines == [written(whole)]
        return
    assert len(lines) == n_unnested(written(whole), ["hits"]) == len(elements)
    for line, element in zip(lines, elements, strict=True):
        assert read_object(line) == {**record, "hits": element}
        assert unnested(line, ["hits"]) == [line]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        '{"hits": [[1]]}',
        '{"hits": nul',
        '{"hits": null}',
        '{"hits": {"at": 1}}',
        '{"other": [1]}',
        '{"hits": 7} {}',
    ],
)
def test_what_holds_no_list_is_left_as_it_is(line: str) -> None:
    """Read as ever, and rejected for what is wrong with it."""
    assert unnested(line, ["hits"]) == [line]
    assert n_unnested(line, ["hits"]) == 1


def test_a_list_deeper_in_the_record() -> None:
    lines = unnested('{"v": {"who": "ann", "hits": ["a", "\\ud800"]}}', ["v", "hits"])
    assert [json.loads(line)["v"]["hits"] for line in lines] == ["a", "\ud800"]
    assert all(line.encode() for line in lines)


@pytest.mark.parametrize(
    ("start", "passed", "expected"),
    [
        ("1767607200", "12.5", 1_767_607_212_500_000),
        ("1767607200", "0", 1_767_607_200_000_000),
        ("1767607200", "-1", 1_767_607_199_000_000),
        ("1767607200", None, None),
        (None, "1", None),
    ],
)
def test_a_time_counts_from_its_record_s_start(start: str | None, passed: str | None, expected: int | None) -> None:
    source = source_of_sessions(event_time={"column": "start", "unit": "seconds", "offset": OFFSET})
    record = {"sid": "s1", "user": "ann", "start": start, "hits": {"at": passed, "type": "view", "sku": "shoe"}}
    found = EventParser(source, None).parse(json.dumps(record), {}, date(2026, 1, 5))
    if expected is None:
        assert found.refusal is not None
        assert (found.refusal.reason, found.refusal.field) == ("missing_field", "event_time")
    else:
        assert (found.refusal, found.event_time) == (None, expected)


OFFSET = {"column": "hits.at", "unit": "seconds"}


def test_what_has_passed_must_be_a_number() -> None:
    source = source_of_sessions(event_time={"column": "start", "unit": "seconds", "offset": OFFSET})
    record = {"user": "ann", "start": 1767607200, "hits": {"at": "soon", "type": "view", "sku": "shoe"}}
    found = EventParser(source, None).parse(json.dumps(record), {}, date(2026, 1, 5))
    assert found.refusal is not None
    assert (found.refusal.reason, found.refusal.shape) == ("bad_timestamp", "9999999999|+aaaa")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unnest": "hits[0]"}, "is no path of keys"),
        ({"unnest": "hits[].parts"}, "is no path of keys"),
        ({"format": "csv", "csv": {"has_header": True}}, "unnest is for JSON lines and Parquet"),
        (
            {"events": {"item_id": {"column": "hits[].sku"}}},
            r"item_id is read from 'hits\[\].sku', and each element is a line of its own by unnest: write 'hits.sku'",
        ),
    ],
)
def test_what_cannot_be_unnested_is_refused(changes: dict[str, Any], expected: str) -> None:
    content = source_of_sessions().model_dump(mode="json", exclude_none=True)
    events = content["events"] | changes.pop("events", {})
    with pytest.raises(SpecError, match=expected):
        parse_model(Source, content | changes | {"events": events}, "shop.yaml")
