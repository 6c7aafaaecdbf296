"""Datetime patterns of sources: read once, with what isn't known refused by name."""

import pytest

from conf.specs.time_patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "parts"),
    [
        ("yyyy-MM-dd HH:mm:ss", "2011-07-01 08:26:00", {"year": "2011", "hour": "08", "second": "00"}),
        ("M/d/yyyy H:mm", "12/1/2010 8:26", {"month": "12", "day": "1", "hour": "8"}),
        ("yyyyMMddHHmmss", "20110701082600", {"year": "2011", "month": "07", "minute": "26"}),
        ("dd-MMM-yy hh:mm a", "01-Jul-11 08:26 pm", {"month_name": "Jul", "short_year": "11", "half": "pm"}),
        ("EEE, d MMMM yyyy HH:mm:ss Z", "Fri, 1 July 2011 08:26:00 +0100", {"offset": "+0100"}),
        ("yyyy-MM-dd'T'HH:mm[:ss[.SSS]]XXX", "2011-07-01T08:26+01:00", {"offset": "+01:00", "second": None}),
        ("yyyy-MM-dd HH:mm:ss VV", "2011-07-01 08:26:00 Europe/London", {"zone": "Europe/London"}),
        ("yyyy.MM.dd 'o''clock' HH", "2011.07.01 o'clock 08", {"hour": "08"}),
    ],
)
def test_pattern_reads_its_own_form(pattern: str, text: str, parts: dict[str, str | None]) -> None:
    """Letters stand for parts, everything else for itself."""
    found = compile_pattern(pattern).expression.fullmatch(text)
    assert found is not None
    assert {name: found.groupdict()[name] for name in parts} == parts


@pytest.mark.parametrize("text", ["2011-7-01", "2011-07-01 ", "11-07-01", "2011-07-011", "\u0662011-07-01"])
def test_pattern_reads_nothing_else(text: str) -> None:
    """Two letters are two digits."""
    assert compile_pattern("yyyy-MM-dd").expression.fullmatch(text) is None


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("yyyy-MM-dd DDD", "'DDD' isn't read; known are"),
        ("yyy", "'yyy' isn't read"),
        ("hh:mm", "needs a"),
        ("dd dd", "may stand once"),
    ],
)
def test_pattern_names_what_it_does_not_know(pattern: str, expected: str) -> None:
    """The mistake is found when the spec is read."""
    with pytest.raises(ValueError, match=expected):
        compile_pattern(pattern)
