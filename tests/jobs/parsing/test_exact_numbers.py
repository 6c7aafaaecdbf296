"""Numbers become what is stored, however a shop writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conf.specs.field_mapping import NumberMapping
from jobs.parsing.exact_numbers import stored_number


def _stored(text: str, other: str | None = None, **mapping: object) -> object:
    return stored_number(text, "price", NumberMapping.model_validate({"column": "p", **mapping}), other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12,50", 12_500_000),
        ("1.234,5", 1_234_500_000),
        ("1.234.567", 1_234_567_000_000),
        ("-3", -3_000_000),
        ("0,0000005", 1),
        ("12.50", None),
        ("1.2345", None),
        ("1,2,3", None),
        ("12,", None),
        ("1e3", None),
    ],
)
def test_decimal_commas_are_read_where_the_source_says_so(text: str, expected: int | None) -> None:
    """A point stands between thousands alone; half a millionth is rounded up."""
    assert _stored(text, decimal_comma=True) == expected


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [("1999", 0.01, 19_990_000), ("0.1", 0.1, 10_000), ("7", 1000, 7_000_000_000), ("-5", 0.01, -50_000)],
)
def test_scale_is_exact(text: str, scale: float, expected: int) -> None:
    """A hundredth is a hundredth, whatever its binary form."""
    assert _stored(text, scale=scale) == expected


@given(
    digits=st.from_regex(r"[+-]?[0-9]{1,12}", fullmatch=True), rest=st.from_regex(r"(\.[0-9]{1,6})?", fullmatch=True)
)
def test_a_number_that_was_cut_at_its_point_is_none(digits: str, rest: str) -> None:
    """What followed the point is lost: 149. may have been 149.95."""
    assert _stored(f"{digits}{rest}") is not None
    assert _stored(f"{digits}.") is None
    assert _stored(f"{digits}.e2") is None


def test_scale_comes_before_bounds_and_division() -> None:
    """2,000 cents over three pieces: 6.666667 each; the bound is one of units."""
    assert _stored("2000", "3", scale=0.01, divided_by="q") == 6_666_667
    assert _stored("2000", scale=0.01, at_most=20) == 20_000_000
    assert _stored("2001", scale=0.01, at_most=20) is None
    assert _stored("20,00", "2,5", decimal_comma=True, divided_by="q") == 8_000_000
