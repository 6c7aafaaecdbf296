"""What must hold of the transitions as written; every violation is found, none is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date

from conf.specs.scenario import Pipeline
from jobs.publishing.publishing import StagedVersion
from jobs.transitions.events_read import EventsRead
from jobs.transitions.quarantine import DateDecisions
from jobs.transitions.row_checks import ROW_CHECKS
from jobs.transitions.tallies import at_midnight, handed_over
from jobs.transitions.transitions import Made

# Checks of every version, by name: those over rows, and those that compare with the events.
CHECKS: tuple[str, ...] = (*ROW_CHECKS, "every_event_seen", "one_row_a_decision", "reward_conserved")


def lost_on_the_way(made: Made, read: Iterable[EventsRead], where: str) -> list[str]:
    """Return one line for each business day and type of which the kernel saw other events than were read.

    Counted on both sides apart: what is lost between them is missing from transitions and ledger alike, so that no
    other check would see it.
    """
    seen = Counter(handed_over(made.tallies))
    expected: Counter[tuple[date, str]] = Counter()
    for one in read:
        if not one.is_of_nobody and not one.is_repeated:
            expected[one.event_date, one.event_type] += one.n
    return [
        f"{where} events of {day}: the kernel saw {seen[day, kind]} of type {kind}; expected {expected[day, kind]}, "
        "as read"
        for day, kind in sorted(seen | expected)
        if seen[day, kind] != expected[day, kind]
    ]


def dates_for_times(made: Made, pipeline: Pipeline, where: str) -> list[str]:
    """Return a line where most purchases are at midnight, though a product's day starts later.

    Such a log tells dates alone: each purchase would count for the day before its own, as if that had seen it coming.
    """
    ordering = pipeline.scenario.ordering
    n = at_midnight(made.tallies)
    total = sum(count for (_, kind), count in handed_over(made.tallies).items() if kind == "purchase")
    if ordering is None or 2 * n <= total:
        return []
    return [
        f"{where}: {n} of {total} purchases are at 00:00:00 in {pipeline.source.zone}, so the log seems to tell dates "
        f"alone, and ordering.hour is {ordering.hour}: each would count for the day before; write ordering: {{hour: 0}}"
    ]


def count_mismatches(where: str, version: StagedVersion, decided: Mapping[date, DateDecisions]) -> list[str]:
    """Return one line for each date whose rows aren't as many as its decisions, less those that are set aside."""
    problems = []
    for day, partition in sorted(version.partitions.items()):
        one = decided.get(date.fromisoformat(day), DateDecisions())
        expected = one.n - one.n_set_aside
        if partition.n_rows != expected:
            problems.append(
                f"{where} date={day}: {partition.n_rows} rows; expected {expected}, one for each of {one.n} decisions "
                f"but the {one.n_set_aside} that are set aside"
            )
    return problems
