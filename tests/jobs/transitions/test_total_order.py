"""The total order as windows."""

from __future__ import annotations

import doctest

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

import jobs.transitions.total_order as module
from conf.event_types import EVENT_TYPE_RANK
from jobs.transitions.total_order import CLOSING_RANK, earlier, in_total_order, whole_seconds, with_type_rank
from tests.jobs.transitions.shop_events import event, events_frame


@pytest.fixture
def tied(spark: SparkSession) -> list[tuple[str, int, int]]:
    """Three shoppers' events of one instant: id, place in the order, number of earlier ones."""
    rows = [
        event("purchase", event_id="a"),
        event("impression", event_id="c"),
        event("impression", event_id="b"),
        event("stock", "10:01", event_id="d"),
        event("stock", event_id="e", user_id="bob"),
    ]
    ranked = with_type_rank(events_frame(spark, rows))
    place = F.row_number().over(in_total_order())
    n_earlier = F.count(F.lit(1)).over(earlier())
    found = ranked.select("event_id", place.alias("place"), n_earlier.alias("n")).collect()
    return sorted((row["event_id"], row["place"], row["n"]) for row in found)


def test_order_is_by_time_then_rank_then_id(tied: list[tuple[str, int, int]]) -> None:
    """Impressions before the purchase of the same instant, by id; a later instant comes last whatever its rank."""
    assert [(event_id, place) for event_id, place, _ in tied] == [("a", 3), ("b", 1), ("c", 2), ("d", 4), ("e", 1)]


def test_earlier_rows_are_those_before_without_the_row_itself(tied: list[tuple[str, int, int]]) -> None:
    """One less than the place; other shoppers don't count."""
    assert all(n == place - 1 for _, place, n in tied)


def test_closing_stands_behind_every_event_of_its_instant() -> None:
    """Whatever its type."""
    assert all(rank < CLOSING_RANK for rank in EVENT_TYPE_RANK.values())


def test_doctests_hold(spark: SparkSession) -> None:
    """What the docstrings show is what comes out."""
    result = doctest.testmod(module, globs={"spark": spark, "F": F, "whole_seconds": whole_seconds})
    assert (result.failed, result.attempted) == (0, 2)
