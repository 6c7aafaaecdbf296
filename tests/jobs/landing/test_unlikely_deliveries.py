"""Who held back deliveries reads what helps each of them."""

from __future__ import annotations

from datetime import date

import pytest

from jobs.errors import UnlikelyDelivery
from jobs.landing.unlikely_deliveries import Unlikely, refuse
from tests.jobs.event_rows import source

FIRST, SECOND = date(2026, 1, 5), date(2026, 1, 6)
LAST = "make accept SOURCE=canonical DELIVERY=<date> REASON=<why>"


def said(*found: Unlikely) -> list[str]:
    with pytest.raises(UnlikelyDelivery) as caught:
        refuse(found, source(), n_published=3)
    return str(caught.value).splitlines()[1:]


def test_each_day_has_its_own_cure() -> None:
    """A day with two faults has both, once each."""
    found = said(Unlikely(SECOND, "  b", "y"), Unlikely(FIRST, "  a", "x"), Unlikely(SECOND, "  c", "z"))
    cures = ["  a", f"    {FIRST}: x", "  b", "  c", f"    {SECOND}: y; z"]
    assert found == [*cures, f"where a log is right as it is: {LAST}"]


def test_one_cure_of_all_days_stands_once() -> None:
    found = said(Unlikely(FIRST, "  a", "x"), Unlikely(SECOND, "  b", "x"))
    assert found == ["  a", "  b", f"x; where the log is right as it is: {LAST}"]
