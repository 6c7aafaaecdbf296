"""Shoppers whose ids don't fit: spelled otherwise where a table lists them, or numbers that begin anew in each file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from conf.specs.source import Source
from jobs.landing.delivery_drift import Drift
from jobs.landing.raw_deliveries import RawDelivery, feed_of
from jobs.landing.spelled_ids import SpelledIds, numbered_anew_in, strangers_told, sum_of_spelled


def listed_apart(
    days: Sequence[date], listed: Mapping[str, Mapping[date, SpelledIds]], shoppers: Mapping[date, SpelledIds]
) -> Iterator[Drift]:
    """Yield the tables that list shoppers of a delivery under another spelling, in it or in an earlier one.

    Args:
        days: of the deliveries.
        listed: how some ids of each table are spelled, by delivery.
        shoppers: how those of the events are, by delivery.
    """
    known: dict[str, SpelledIds] = {}
    for day in sorted({*days, *(day for spelled in listed.values() for day in spelled)}):
        for table, spelled in listed.items():
            known[table] = sum_of_spelled([known.get(table, {}), spelled.get(day, {})])
            if day in days and (told := strangers_told(table, known[table], shoppers.get(day, {}))):
                yield Drift(day, "", told)


def numbered_anew(days: Sequence[date], landed: Mapping[date, RawDelivery], source: Source) -> Iterator[Drift]:
    """Yield the feeds whose shoppers are numbers of lines, where another file has the same numbers.

    Args:
        days: of the deliveries.
        landed: all deliveries: yesterday's first line and today's are one shopper too.
        source: with all its feeds.
    """
    numbered = {name: one for name, one in source.feeds_alone().items() if one.csv and one.csv.line_number}
    for day in days if numbered else ():
        files = {file.name for one, delivery in landed.items() if one <= day for file in delivery.of_kind("events")}
        for name, feed in numbered.items():
            if told := numbered_anew_in(feed, sum(feed_of(source, file) == feed for file in files)):
                yield Drift(day, name, told)
