"""What must hold of the transitions as written; every violation is found, none is published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import date

from conf.kernel_rules import partition_date
from conf.specs.scenario import Pipeline
from jobs.publishing.publishing import StagedVersion
from jobs.transitions.events_read import EventsRead
from jobs.transitions.quarantine import DateDecisions
from jobs.transitions.row_checks import ROW_CHECKS
from jobs.transitions.tallies import at_one_instant, handed_over
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


def dates_for_times(made: Made, pipeline: Pipeline, where: str, *, dates: Collection[date]) -> list[str]:
    """Return a line where days of the made dates tell dates for times, though a product's day starts later.

    Each of their purchases would count for the day before its own, whose morning would seem to have seen it coming. A
    day does where most of its purchases are at one full hour before the start; the log, where most days or the last one
    do.
    """
    ordering = pipeline.scenario.ordering
    if ordering is None or not ordering.hour:
        return []
    own = {day: n for (day, kind), n in handed_over(made.tallies).items() if kind == "purchase"}
    own = {day: n for day, n in own.items() if partition_date(pipeline, day) in dates}
    instants = at_one_instant(made.tallies)
    told = sorted(day for day, n in own.items() if 2 * instants.get(day, 0) > n)
    if not told or (2 * len(told) <= len(own) and max(own) not in told):
        return []
    return [
        f"{where}: on {len(told)} of {len(own)} days, the last {told[-1]}, most purchases are at one full hour before "
        f"{ordering.hour}:00 in {pipeline.source.zone}, so the log seems to tell dates for times, and each would count "
        "for the day before; write ordering: {hour: 0}, or map the time itself"
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
