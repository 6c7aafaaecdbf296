"""Days on which nothing is served are told, and days on which nothing is expected aren't."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from rl.monitor.alerts import outage_alerts
from rl.monitor.unserved_days import Decided, Outage, unserved

MONDAY = date(2026, 3, 2)


def day(number: int, *, share: float = 0.9, n: int = 100, own: float | None = None, version: int | None = 1) -> Decided:
    """A day with so many decisions, each of another shopper, of which versions made a share."""
    n_own = round(n * (share if own is None else own))
    return Decided(
        MONDAY + timedelta(days=number), version, n, n, round(n * share), n_own, has_decisions_else=number >= 7
    )


def served(n: int) -> list[Decided]:
    return [day(number) for number in range(n)]


def told(days: list[Decided]) -> list[tuple[int, int]]:
    """First and last day of each outage."""
    return [((one.first - MONDAY).days, (one.last - MONDAY).days) for one in unserved(days).outages]


@pytest.mark.parametrize(("n", "n_decisions"), [(100, 3_000), (0, 0)])
def test_days_without_a_served_decision_are_told_as_one(n: int, n_decisions: int) -> None:
    """Thirty of them after sixty, whether others decided or nothing arrived at all."""
    days = [*served(60), *(day(60 + number, share=0.0, n=n) for number in range(30))]
    found = unserved(days)
    first, last = MONDAY + timedelta(days=60), MONDAY + timedelta(days=89)
    assert found.outages == (Outage(first, last, n_decisions, None),)
    assert found.days == {first + timedelta(days=number) for number in range(30)}
    (alert,) = outage_alerts(found.outages)
    assert (alert.kind, alert.day) == ("nothing_served", first)
    assert ("no decision of anybody's arrived" in alert.sentence) == (n == 0)


def test_an_outage_is_told_with_its_days_and_what_others_decided() -> None:
    days = [*served(9), *(day(9 + number, share=0.0, n=400) for number in range(3)), day(12)]
    (alert,) = outage_alerts(unserved(days).outages)
    assert alert.sentence.startswith("Nothing was served on 2026-03-11 to 2026-03-13, though 1,200 decisions were made")
    assert told([*served(9), day(9, share=0.0, n=1)]) == [], "one shopper may be of the control group by chance"


def test_an_outage_of_a_launch_s_second_week_goes_on_as_long_as_it_lasts() -> None:
    assert told([*served(8), *(day(8 + number, share=0.0) for number in range(40))]) == [(8, 47)]


def test_two_outages_are_two_alerts() -> None:
    out = {20, 21, 30}
    assert told([day(number, share=0.0 if number in out else 0.9) for number in range(40)]) == [(20, 21), (30, 30)]


def test_a_shop_that_is_closed_on_sundays_is_told_nothing() -> None:
    days = [
        replace(day(number, n=0 if number % 7 == 6 else 100), has_decisions_else=number % 7 != 6)
        for number in range(60)
    ]
    assert told(days) == []
    assert told([*days, day(60, n=0)]) == [(60, 60)]


def test_weekdays_on_which_the_service_is_never_asked_are_told_once_at_most() -> None:
    days = [day(number, share=0.0 if number % 7 > 4 else 0.9) for number in range(60)]
    assert told(days) == [(5, 6)]
    assert told([*days, *(day(60 + number, share=0.0) for number in range(3))]) == [(5, 6), (60, 62)]


def test_days_with_few_shoppers_are_hardly_ever_told_by_chance() -> None:
    """A version at a share of a tenth, 20 shoppers a day: on one in eight days none of them is drawn."""
    rng = np.random.default_rng(1)
    n_own = rng.binomial(20, 0.1, 400)
    days = [day(number, share=0.9, n=20, own=n / 20) for number, n in enumerate(n_own)]
    assert (n_own == 0).sum() > 30
    assert told(days) == []


def test_a_version_in_force_that_decides_nothing_while_another_does_is_told() -> None:
    days = [*served(20), *(day(20 + number, version=2, own=0.5) for number in range(20))]
    assert told(days) == []
    (out,) = unserved([*days, *(day(40 + number, version=2, own=0.0) for number in range(2))]).outages
    assert (out.version, out.n_decisions) == (2, 200)
    assert "Version 2 decided nothing on 2026-04-11 to 2026-04-12" in outage_alerts([out])[0].sentence


def test_a_version_that_has_yet_to_begin_is_told_only_where_none_decides() -> None:
    waiting = [day(20 + number, version=2, own=0.0) for number in range(10)]
    assert told([*served(20), *waiting]) == []
    assert told([*served(20), *waiting[:2], day(22, version=2, share=0.0)]) == [(22, 22)]


def test_what_was_turned_off_or_withdrawn_is_no_outage() -> None:
    """Until something is served again, and no day on which it was changed what is served."""
    off = [day(20 + number, version=None, share=0.0) for number in range(10)]
    again = [replace(day(30, share=0.0), is_changed=True), day(31, share=0.0), *(day(32 + n) for n in range(9))]
    assert told([*served(20), *off, *again]) == []
    assert unserved([*served(20), *off]).days == frozenset()
    assert told([*served(20), *off, *again, day(41, share=0.0)]) == [(41, 41)]


def test_nothing_is_expected_before_anything_was_served() -> None:
    assert told([day(number, share=0.0) for number in range(20)]) == []
    assert unserved([]).outages == ()
