from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from conf.plain_json import to_json


def test_numbers_that_are_not_finite_are_null_however_deep() -> None:
    """JSON knows no NaN; readers in other languages refuse a file that holds one."""
    content = {"a": float("nan"), "b": [1.5, {"c": (float("inf"), -float("inf"), 2)}]}
    assert json.loads(to_json(content)) == {"a": None, "b": [1.5, {"c": [None, None, 2]}]}


def test_dates_and_paths_are_their_text() -> None:
    """What commands return beside plain values has one form."""
    assert json.loads(to_json({"date": date(2026, 1, 31), "page": Path("/a/b")})) == {
        "date": "2026-01-31",
        "page": "/a/b",
    }


def test_what_has_no_form_is_an_error() -> None:
    """Nothing is written as the text of an object."""
    with pytest.raises(TypeError, match="object is not plain JSON"):
        to_json({"a": object()})
