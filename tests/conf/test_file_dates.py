"""The day of a file is in its path, however a shop writes dates."""

from __future__ import annotations

import re
from datetime import date

import pytest

from conf.errors import SpecError
from conf.file_dates import date_in, refuse_pattern
from conf.settings import PROJECT_ROOT
from conf.specs.delivery import Delivery
from conf.specs.strict_yaml import parse_model

JUNE_1 = date(2026, 6, 1)
PARTED = r"(?P<day>\d{1,2})[.](?P<month>\d{1,2})[.](?P<year>\d{2,4})"


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("day=2026-06-01/log.csv", r"(\d{4}-\d{2}-\d{2})", JUNE_1),
        ("export_20260601_web.csv.gz", r"_(\d{8})_", JUNE_1),
        ("2026/06/01/x.json", r"(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>\d{2})/", JUNE_1),
        ("Kasse_1.6.2026.csv", PARTED, JUNE_1),
        ("Kasse_01.06.26.csv", PARTED, JUNE_1),
        ("shop 99.99.2026 1.6.2026.csv", PARTED, JUNE_1),  # what is no day is passed over
        ("order 12345678 of 20260601.csv", r"(\d{8})", JUNE_1),
        # One group holds the whole date, whatever it is called.
        ("day=2026-06-01/log.csv", r"day=(?P<day>\d{4}-\d{2}-\d{2})/", JUNE_1),
        ("log.csv", r"(\d{8})", None),
        ("log.csv", r"log(\d{8})?", None),  # the group took no part
        ("log.csv", r"log(?:(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2}))?", None),
    ],
)
def test_the_first_day_in_a_path_is_its_own(path: str, pattern: str, expected: date | None) -> None:
    refuse_pattern(pattern)
    assert date_in(path, pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"\d{8}", "no group; give one group with the whole date"),
        (r"(?P<year>\d{4})/(?P<month>\d{2})/(\d{2})", "no group day; give one group"),
        (r"(?P<year>\d{4})", "no group month, day; give one group"),
        (r"(\d{8}", "no regular expression"),
    ],
)
def test_a_pattern_that_finds_no_date_is_refused_with_what_to_write(pattern: str, expected: str) -> None:
    """As the spec is read, not as a night fails on its files."""
    with pytest.raises(ValueError, match=expected):
        refuse_pattern(pattern)
    with pytest.raises(SpecError, match=expected):
        parse_model(Delivery, {"layout": "dated_files", "date_pattern": pattern}, "shop.yaml")


def test_the_reference_shows_patterns_that_find_their_own_examples() -> None:
    """Whoever copies one from the page gets the day of the name beside it."""
    told = Delivery.model_fields["date_pattern"].description or ""
    shown = re.findall(r"`([^`]*\(.*?)` for `([^`]+)`", told)
    assert [date_in(name, pattern) for pattern, name in shown] == [JUNE_1] * 3


def test_the_table_of_the_page_on_sources_holds() -> None:
    """Each path of it has the first of June by the pattern beside it."""
    page = (PROJECT_ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    table = page.partition("## The day of a file")[2].partition("\n##")[0]
    shown = re.findall(r"^\| `([^`]+)` \| `([^`]+)`", table, re.MULTILINE)
    assert len(shown) == 4
    assert [date_in(path, pattern) for path, pattern in shown] == [JUNE_1] * 4
