"""A day that lacks a delivery is told, unless such days never have one."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from jobs.landing.missing_days import missing_days

MONDAY = date(2026, 1, 5)


def days(*numbers: int) -> list[date]:
    return [MONDAY + timedelta(days=number) for number in numbers]


@pytest.mark.parametrize(
    ("landed", "expected"),
    [
        (range(10), []),
        ([0, 1, 2, 4, 5], [3]),
        ([0, 1, 2, 5], [3, 4]),
        ([0, 1, 4], []),  # nobody knows yet what is usual
        ([n for n in range(21) if n % 7 != 6], []),  # closed on Sundays
        ([n for n in range(21) if n % 7 != 6 and n != 9], [9]),
        (range(0, 70, 7), []),  # once a week
        ([*range(30), *range(33, 40)], [30, 31, 32]),
    ],
)
def test_days_that_lack_a_delivery(landed: list[int], expected: list[int]) -> None:
    found = missing_days(days(*landed))
    assert [one for some in found.values() for one in some] == days(*expected)
    assert all(min(some) < after for after, some in found.items())
