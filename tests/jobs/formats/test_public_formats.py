"""Public formats become events by YAML alone; the samples are made up, the events were worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from conf.specs.source import load_source
from tests.jobs.formats.plain_events import SAMPLES, PlainLog, plain_log

ANN, BOB = "1234567890.1767607100", "987654321.1767000000"
LIST_TIME, BUY_TIME = "2026-01-05T10:00:00.123456", "2026-01-05T10:01:40"
UNTREATED, TREATED = ("no ad", Decimal("0.15")), ("ad", Decimal("0.85"))
SHOE, WATER = "2103807459595387724", "2053013552326770905"


def _log(source: str, *names: str) -> PlainLog:
    return plain_log(load_source(source), SAMPLES / source, *names)


def _reasons(log: PlainLog) -> list[tuple[Any, ...]]:
    """Line, reason and field of the rejected lines."""
    return [found[1:] for found in log.rejected]


def test_ga4_items_are_events_and_microseconds_are_kept() -> None:
    """Nested items, parameters by key, numbers in quotes, `(not set)`; a refund that came a day later."""
    log = _log("ga4", "item_id", "category_id", "price", "quantity", "position", "currency")
    assert log.events == [
        (LIST_TIME, "impression", ANN, "SKU-1", "Schuhe", 19_990_000, None, 1, "EUR"),
        (LIST_TIME, "impression", ANN, "SKU-2", "Schuhe", 25_000_000, None, 2, "EUR"),
        ("2026-01-05T10:00:15", "click", ANN, "SKU-2", "Schuhe", 25_000_000, None, 2, "EUR"),
        (BUY_TIME, "purchase", ANN, "SKU-2", "Schuhe", 25_000_000, 2, None, "EUR"),
        (BUY_TIME, "purchase", ANN, "7", None, 100_000, 1, None, "EUR"),
        ("2026-01-05T23:59:59.900000", "refund", ANN, "SKU-2", "Schuhe", 25_000_000, 1, None, "EUR"),
        ("2026-01-06T09:00:00.000001", "cart", BOB, "SKU-1", "Schuhe", 19_990_000, 1, None, "EUR"),
    ]
    assert _reasons(log) == [
        (3, "ignored", None),
        (5, "missing_field", "item_id"),
        (6, "missing_field", "item_id"),
        (7, "missing_field", "user_id"),
        (8, "missing_field", "item_id"),
    ]


def test_shopify_orders_of_several_lines_are_filled_down() -> None:
    """A note with a line break, a line without a SKU, offsets, a guest, and money given back without an item."""
    log = _log("shopify_orders", "item_id", "price", "quantity", "currency", "slate_id")
    assert log.events == [
        ("2026-01-05T14:00:00", "purchase", "ann@example.com", "MUG-1", 9_990_000, 2, "USD", "#1001"),
        ("2026-01-05T14:00:00", "purchase", "ann@example.com", "Tote / Green", 39_990_000, 1, "USD", "#1001"),
        ("2026-01-07T02:30:00", "purchase", "bo@example.com", "SOAP", 10_000_000, 3, "CAD", "#1003"),
        ("2026-01-07T02:30:00", "refund", "bo@example.com", None, 12_500_000, 1, "CAD", "#1003"),
        ("2026-01-07T02:30:00", "purchase", "bo@example.com", "GIFT", 0, 1, "CAD", "#1003"),
    ]
    assert _reasons(log) == [(5, "missing_field", "user_id")]


def test_segment_calls_hold_one_product_or_a_list() -> None:
    """Numbers as numbers and as text are one id; calls other than track mean nothing; a server knows the user alone."""
    log = _log("segment", "item_id", "category_id", "price", "quantity", "position", "currency")
    assert log.events == [
        ("2026-01-05T10:00:01.250000", "impression", "a-1", "p1", "shoes", 19_900_000, None, 1, None),
        ("2026-01-05T10:00:01.250000", "impression", "a-1", "507", "hats", None, None, 2, None),
        *[("2026-01-05T10:00:05", "click", "a-1", "507", None, None, None, 2, None)] * 2,
        ("2026-01-05T10:00:10", "cart", "a-1", "507", None, 5_500_000, 2, None, "EUR"),
        ("2026-01-05T10:01:00.500000", "purchase", "u-9", "507", None, 5_500_000, 2, None, "EUR"),
        ("2026-01-05T10:01:00.500000", "purchase", "u-9", "p3", None, 5_000_000, 1, None, "EUR"),
    ]
    assert _reasons(log) == [
        (1, "ignored", None),
        (7, "missing_field", "item_id"),
        (8, "missing_field", "item_id"),
        (9, "ignored", None),
    ]


def test_rees46_times_say_their_zone() -> None:
    """A quoted brand, a negative price, half a line, and the header once more."""
    log = _log("rees46", "item_id", "category_id", "price", "currency")
    ann, bob = "541312140", "554748717"
    assert log.events == [
        ("2019-10-01T00:00:00", "view", ann, "44600062", SHOE, 35_790_000, "USD"),
        ("2019-10-01T00:00:04", "view", bob, "3900821", WATER, 33_200_000, "USD"),
        ("2019-10-01T00:00:09", "cart", bob, "3900821", WATER, 33_200_000, "USD"),
        ("2019-10-01T00:00:11", "cart", bob, "3900821", WATER, 33_200_000, "USD"),
        ("2019-10-01T00:01:00", "purchase", bob, "3900821", WATER, 33_200_000, "USD"),
        ("2019-10-01T00:02:00", "view", ann, "9", SHOE, 0, "USD"),
    ]
    assert _reasons(log) == [
        (5, "ignored", None),
        (8, "bad_number", "price"),
        (10, "missing_field", "user_id"),
        (11, "bad_timestamp", None),
    ]


def test_movielens_ratings_of_four_stars_are_favorites() -> None:
    """Values stand between double colons; too many of them, or too few, are no rating."""
    log = _log("movielens", "item_id")
    assert log.events == [
        ("2000-12-31T22:12:40", "view", "1", "1193"),
        ("2000-12-31T22:12:40", "favorite", "1", "1193"),
        ("2000-12-31T22:35:09", "view", "1", "661"),
        *[("2000-12-31T21:38:29", "view", "2", "1357"), ("2000-12-31T21:38:29", "favorite", "2", "1357")] * 2,
        ("2000-12-31T07:09:36", "view", "3", "589"),
    ]
    assert _reasons(log) == [(6, "unreadable", None), (7, "missing_field", "event_time")]


def test_grocery_days_are_counted_from_day_one() -> None:
    """Day 1 at 16:31 in New York; `5` is five past midnight; a price is the sum over the pieces, exactly."""
    log = _log("grocery_baskets", "item_id", "price", "quantity", "category_id", "slate_id")
    assert log.events == [
        ("2016-01-01T05:00:00", "click", "2375", "10000085364", None, None, "8", None),
        ("2016-12-31T05:00:00", "click", "13", "51700010076", None, None, None, None),
        ("2016-01-01T21:31:00", "purchase", "2375", "1004906", 1_390_000, 1, None, "26984851472"),
        ("2016-01-01T21:31:00", "purchase", "2375", "1033142", 666_667, 3, None, "26984851472"),
        ("2016-01-01T05:05:00", "purchase", "1364", "842930", 2_190_000, 1, None, "26984896261"),
        ("2017-01-01T04:59:00", "purchase", "13", "6534178", 2_300, 11_000, None, "40085429046"),
    ]
    assert _reasons(log) == [(5, "bad_number", "price")]


def test_criteo_lines_are_people_of_their_own() -> None:
    """Two equal lines are two people; propensities follow the arm; an arm that isn't known is refused."""
    log = _log("criteo_uplift", "action", "propensity", "decision_id")
    at = "2018-01-01T00:00:00"
    assert log.events == [
        (at, "impression", "2", *TREATED, "2"),
        (at, "impression", "3", *TREATED, "3"),
        (at, "impression", "4", *UNTREATED, "4"),
        (at, "click", "4", *UNTREATED, "4"),
        (at, "impression", "5", *TREATED, "5"),
        (at, "click", "5", *TREATED, "5"),
        (at, "purchase", "5", *TREATED, "5"),
        (at, "impression", "6", *UNTREATED, "6"),
    ]
    assert _reasons(log) == [(7, "bad_id", "item_id"), (8, "missing_field", "user_id")]


def test_mind_impressions_stand_in_one_column() -> None:
    """Each element is an impression, and a click of the same decision where it ends in 1; quotes mean nothing."""
    log = _log("mind", "item_id", "decision_id")
    first, second = ("2019-11-11T09:05:58", "U13740"), ("2019-11-12T18:11:30", "U91836")

    def rows(at: Sequence[str], kind: str, elements: str, impression: str) -> list[tuple[str, ...]]:
        news = [(one.partition("-")[0], f"{impression}|{one}") for one in elements.split()]
        return [(at[0], kind, at[1], *one) for one in news]

    assert log.events == [
        *rows(first, "impression", "N55689-1 N35729-0", "1"),
        *rows(first, "click", "N55689-1", "1"),
        *rows(second, "impression", "N20678-0 N39317-0 N58114-1 N20495-1", "2"),
        *rows(second, "click", "N58114-1 N20495-1", "2"),
        *rows(("2019-11-14T00:00:01", "U73700"), "impression", "N50014-0", "3"),
    ]
    assert _reasons(log) == [
        (4, "missing_field", "item_id"),
        (5, "bad_timestamp", None),
        (6, "missing_field", "item_id"),
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_every_sample_has_a_source_of_its_name(name: str) -> None:
    """None is left over."""
    assert load_source(name).name == name
