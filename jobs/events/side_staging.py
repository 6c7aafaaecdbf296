"""Side tables of deliveries on their way into staging: by the driver where lines are few, else by Spark."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf.specs.source import Source
from jobs.events.few_side_lines import FewSideLines, read_few_side_lines, staged_few
from jobs.events.side_tables import SideCounts, SideLines, count_lines_of, read_side_table, spelled_of
from jobs.landing.raw_lines import LineFile
from jobs.landing.spelled_ids import LISTS, SpelledIds
from jobs.publishing.publishing import StagedVersion, Target, staged

MOST_LINES_OF_DRIVER = 50_000


@dataclass(frozen=True)
class SideFiles:
    """The files of one side table: headers by `header_id`, where they lie, and how many lines they hold."""

    headers: Sequence[tuple[str, ...]]
    files: Sequence[LineFile]
    n_lines: int


Sides = Mapping[str, SideLines | FewSideLines]
"""What was delivered of each side table, by its name."""


@contextmanager
def read_sides(spark: SparkSession, given: Mapping[str, SideFiles], source: Source, key: bytes) -> Iterator[Sides]:
    """Return what the files of each side table hold, by its name, until the block ends."""
    found: dict[str, SideLines | FewSideLines] = {}
    with ExitStack() as stack:
        for name, one in given.items():
            if one.n_lines <= MOST_LINES_OF_DRIVER:
                found[name] = read_few_side_lines(name, one.files, one.headers, source, key)
            else:
                many = found[name] = read_side_table(spark, name, one.files, one.headers, source, key)
                stack.callback(many.lines.unpersist)
        yield found


def count_sides(sides: Sides) -> SideCounts:
    """Return what became of the lines of all tables."""
    many = {name: one for name, one in sides.items() if isinstance(one, SideLines)}
    few = {name: one for name, one in sides.items() if isinstance(one, FewSideLines)}
    return count_lines_of(many) | {(name, day): n for name, one in few.items() for day, n in one.counts.items()}


def spelled_in(sides: Sides) -> dict[str, Mapping[date, SpelledIds]]:
    """Return how some of the ids that tables list are spelled, by table and delivery; of those that list shoppers."""
    return {
        name: one.spelled if isinstance(one, FewSideLines) else spelled_of(one.lines)
        for name, one in sides.items()
        if name in LISTS
    }


def staged_side(
    spark: SparkSession, side: SideLines | FewSideLines, target: Target, *, partitions: Collection[str]
) -> AbstractContextManager[StagedVersion]:
    """Write the rows of the partitions below the table's staging folder and check them; remove them unless published.

    Raises:
        CheckError: columns, nulls, keys or partitions don't fit the table; lists all violations.
        PublishError: the rows can't be written.
    """
    if isinstance(side, FewSideLines):
        return staged_few(spark, side, target, partitions=partitions)
    rows = side.rows.where(F.col(target.partition_column).isin([date.fromisoformat(one) for one in partitions]))
    return staged(rows, target, partitions=partitions)
