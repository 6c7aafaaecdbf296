"""The last list of a scenario is told with what it commits and its price of money, whatever else its home holds."""

from __future__ import annotations

import pytest

from rl.site.left_files import LeftFiles
from rl.site.nights import read_nights
from rl.site.weekly_lists import last_list, list_sentences
from tests.rl.site.conftest import Home

LIST = {
    "as_of": "2026-06-08",
    "version": 3,
    "is_draft": False,
    "committed": 1483.72,
    "weekly_budget": 1500.0,
    "price": 0.2137,
    "registered_price": 0.1958,
}


def test_the_price_of_the_list_stands_beside_the_registered_one() -> None:
    told = list_sentences(LIST, "EUR")
    assert told.startswith("The list of the week of 2026-06-08 was decided by version 3.")
    assert "commits 1,483.72 of 1,500.00 EUR" in told
    assert "about 0.214 EUR beyond its cost" in told
    assert "(0.196 when the version was registered)" in told
    assert "drafted, and sent to nobody" in list_sentences({**LIST, "is_draft": True}, "EUR")


def test_money_that_is_not_short_has_no_price() -> None:
    told = list_sentences({**LIST, "price": 0, "registered_price": None}, "EUR")
    assert told.endswith("Money wasn't short: its price was 0.")


@pytest.mark.parametrize("changes", [{"price": None}, {"committed": "much"}, {"n_decisions": 9, "price": []}])
def test_the_latest_list_within_a_budget_is_told(home: Home, changes: dict) -> None:
    """A later night's list of another kind, or a broken one, is passed over; without any nothing is said."""
    home.write(home.night(0).decide_result, LIST)
    home.write(home.night(1).decide_result, {**LIST, **changes})
    nights = read_nights(home.folder, left := LeftFiles(), [])
    assert last_list(nights, left) == LIST
    assert list_sentences(last_list(nights[1:], left), "EUR") == ""
