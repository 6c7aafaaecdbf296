"""Numbers as people read them."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from conf.settings import PROJECT_ROOT
from rl.ope.estimators.registry import MARGINALIZED_ESTIMATORS, ONE_STEP_ESTIMATORS, nightly_estimators
from rl.page import wording
from rl.page.wording import UNKNOWN


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, UNKNOWN),
        (0.0, "0"),
        (1.234, "1.23"),
        (0.01234, "0.0123"),
        (1234.5, "1,234"),
        (-0.5, "\u22120.500"),
        (float("nan"), UNKNOWN),
        (float("inf"), "∞"),
        (1e-9, "1.0e\u221209"),
    ],
)
def test_number_keeps_three_significant_digits(value: float | None, expected: str) -> None:
    """Small numbers keep their digits, large ones lose their decimals, unknown ones are a dash."""
    assert wording.number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0 intervals"),
        (1, "1 interval"),
        (1.2, "1 interval"),
        (1200, "1,200 intervals"),
        (None, f"{UNKNOWN} intervals"),
    ],
)
def test_a_count_stands_with_as_many_as_are_read(value: float | None, expected: str) -> None:
    """One of what is read as 1, also after rounding."""
    assert wording.counted(value, "interval") == expected


def test_a_count_takes_the_words_that_it_is_given() -> None:
    assert wording.counted(1, "series is", "series are") == "1 series is"
    assert wording.counted(2, "series is", "series are") == "2 series are"
    assert wording.counted(1, wording.one_of("shoppers"), "shoppers") == "1 shopper"


TEMPLATES = [path for room in ("page", "monitor") for path in sorted((PROJECT_ROOT / "rl" / room).glob("*.jinja"))]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_writes_a_plural_behind_a_bare_count(template: Path) -> None:
    """`counted` knows one from many; a count with a word behind it reads "1 intervals" some night."""
    words = re.findall(r"\{\{[^}]*(?:\| ?(?:count|length)|\.n_\w+) \}\} (\w+s)\b", template.read_text(encoding="utf-8"))
    assert [word for word in words if word != "is"] == []


@pytest.mark.parametrize("name", [*nightly_estimators(), *ONE_STEP_ESTIMATORS, *MARGINALIZED_ESTIMATORS, "mips"])
def test_every_estimator_of_a_night_has_a_name_for_people(name: str) -> None:
    """Neither its full name nor its abbreviation is the one in specs."""
    assert name not in (wording.estimator(name), wording.short_estimator(name))


def test_signed_shows_the_sign_of_a_gain() -> None:
    """A gain has a plus, a loss a minus, nothing has none."""
    assert [wording.signed(value) for value in (0.5, -0.5, 0.0)] == ["+0.500", "\u22120.500", "0"]


@pytest.mark.parametrize(("value", "expected"), [(0.95, "95%"), (0.98904, "99%"), (0.9995, "99.95%"), (0.996, "99.6%")])
def test_level_never_rounds_up_to_certainty(value: float, expected: str) -> None:
    """A level keeps as many digits as tell it from 100%."""
    assert wording.level(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.123, "12.3%"), (0.0004, "0.04%"), (1.0, "100%"), (0.0, "0%")])
def test_share_is_a_percentage(value: float, expected: str) -> None:
    """Shares of less than a percent keep two decimals."""
    assert wording.share(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1_500_000, "1.5 points"), (-250_000, "\u22120.25 points"), (12_345_000_000, "12,345 points")],
)
def test_millionths_are_exact(value: int, expected: str) -> None:
    """An exact amount loses no digit."""
    assert wording.millionths(value, "points") == expected


def test_date_range_says_how_many_days() -> None:
    """A range names both ends and the number of days; one day stands alone."""
    days = (date(2026, 1, 30), date(2026, 1, 31))
    assert wording.date_range(days) == "2026-01-30 to 2026-01-31 (2 days)"
    assert wording.date_range(days[:1]) == "2026-01-30 (1 day)"


def test_date_range_of_blocks_says_how_many() -> None:
    """Each stands for four weeks, and no day is missing."""
    blocks = (date(2026, 1, 5), date(2026, 2, 2), date(2026, 3, 2))
    assert wording.date_range(blocks) == "2026-01-05 to 2026-03-02 (first days of 3 periods)"


def test_reason_falls_back_to_the_code_in_words() -> None:
    """A code without a sentence of its own is still readable."""
    assert wording.reason("bot_rate") == "more events an hour than a person makes"
    assert wording.reason("some_new_code") == "some new code"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.01096, "1.1%"), (0.00274, "0.28%"), (0.011, "1.1%"), (0.1, "10%"), (0.5, "50%"), (0, "0%")],
)
def test_chance_is_rounded_up(value: float, expected: str) -> None:
    """What is said to be at most so much isn't more."""
    assert wording.chance(value) == expected


def test_signed_share_shows_the_sign() -> None:
    """A rise has a plus, a fall a minus, nothing has none."""
    assert [wording.signed_share(value) for value in (0.123, -0.05, 0.0, None)] == [
        "+12.3%",
        "\u22125.0%",
        "0%",
        UNKNOWN,
    ]


@pytest.mark.parametrize(
    ("value", "expected"), [(-0.3, "0"), (0.0, "0"), (-1.6, "\u22122"), (12345.4, "12,345"), (None, UNKNOWN)]
)
def test_count_is_whole_and_never_minus_nothing(value: float | None, expected: str) -> None:
    assert wording.count(value) == expected
