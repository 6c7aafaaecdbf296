"""A delivery that holds an earlier one's bytes: yesterday's files under today's name.

Their lines are events that yesterday has already, so today would count as a day without visitors.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from conf.specs.source import Source
from jobs.landing.raw_deliveries import RawDelivery, RawFile, feed_of
from jobs.landing.unlikely_deliveries import Unlikely


@dataclass(frozen=True)
class RepeatedFiles:
    """Files of a feed that hold the bytes of another delivery's.

    Attributes:
        delivery_date: of the delivery that repeats.
        feed: whose files they are.
        other_date: of the delivery that has the bytes as well.
        names: of the files, each with that of its equal.
        n_files: how many files with lines the feed has in the delivery that repeats.
    """

    delivery_date: date
    feed: str
    other_date: date
    names: tuple[tuple[str, str], ...]
    n_files: int

    @property
    def is_whole(self) -> bool:
        """True where the feed brings nothing that the other delivery hasn't."""
        return len(self.names) == self.n_files

    @property
    def sentence(self) -> str:
        """What a person is told."""
        files = "; ".join(f"{name} = {other}" for name, other in self.names[:5])
        share = "all" if self.is_whole else str(len(self.names))
        return (
            f"delivery_date={self.delivery_date} feed {self.feed}: {share} of its {self.n_files} file(s) hold the same "
            f"bytes as delivery {self.other_date} ({files})"
        )


def repeated_files(
    due: Sequence[RawDelivery], landed: Mapping[date, RawDelivery], source: Source
) -> list[RepeatedFiles]:
    """Return the feeds of due deliveries that hold files of other deliveries, by date.

    Of two equal deliveries that are both due, the later is the one that repeats; files without a line repeat nothing.

    Args:
        due: the deliveries that are ingested.
        landed: all that were landed, by date.
        source: with all its feeds.
    """
    due_dates = {one.delivery_date for one in due}
    by_hash: dict[str, list[RawFile]] = {}
    for delivery in landed.values():
        for file in _with_lines(delivery):
            by_hash.setdefault(file.keyed_hash, []).append(file)
    found = []
    for delivery in sorted(due, key=lambda one: one.delivery_date):
        day, of_feed = delivery.delivery_date, dict[str, list[RawFile]]()
        for file in _with_lines(delivery):
            of_feed.setdefault(_feed_name(file, source), []).append(file)
        for feed, files in sorted(of_feed.items()):
            equal: dict[date, list[tuple[str, str]]] = {}
            for file in files:
                others = {one.delivery_date: one for one in by_hash[file.keyed_hash]}
                for other, one in others.items():
                    if (other < day or other not in due_dates) and other != day and _feed_name(one, source) == feed:
                        equal.setdefault(other, []).append((file.name, one.name))
            if equal:
                nearest = max(equal, key=lambda other: (len(equal[other]), -abs((other - day).days)))
                found.append(RepeatedFiles(day, feed, nearest, tuple(equal[nearest]), len(files)))
    return found


def unlikely_repetitions(found: Sequence[RepeatedFiles], source: Source, accepted: Collection[date]) -> list[Unlikely]:
    """Return the deliveries of which a feed is another delivery's, whole, and which nobody accepted.

    Args:
        found: what repeats.
        source: whose deliveries they are.
        accepted: deliveries that a person has looked at.
    """
    cure = f"deliver the day's own files of source {source.name}"
    return [
        Unlikely(one.delivery_date, f"  {one.sentence}", cure)
        for one in found
        if one.is_whole and one.delivery_date not in accepted
    ]


def _with_lines(delivery: RawDelivery) -> list[RawFile]:
    return [file for file in delivery.of_kind("events") if file.n_lines]


def _feed_name(file: RawFile, source: Source) -> str:
    feed = feed_of(source, file.name)
    return feed.feed_name or feed.name
