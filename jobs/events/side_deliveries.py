"""What deliveries bring of side tables: which tables there are, whether their lines are likely, what manifests say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date

import structlog

from conf.specs.side_table import CANONICAL
from conf.specs.source import Source
from conf.tables import SIDE_TABLES, Table
from jobs.errors import CheckError
from jobs.events.side_tables import SideCount, SideCounts
from jobs.landing.raw_deliveries import RawDelivery
from jobs.landing.unlikely_deliveries import Unlikely
from jobs.publishing.publishing import PartitionFacts

log = structlog.get_logger()


def side_tables_of(source: Source) -> list[Table]:
    """Return the tables beside the events that each delivery has, if empty ones."""
    return [table for name, table in SIDE_TABLES.items() if name in CANONICAL or name in source.side_tables]


def unlikely_sides(
    source: Source, due: Sequence[RawDelivery], counts: SideCounts, accepted: Collection[date]
) -> list[Unlikely]:
    """Return the deliveries of a side table of which too many lines are rejected, as of a feed's.

    Args:
        source: states the bound.
        due: the deliveries.
        counts: what became of their lines.
        accepted: deliveries that a person has looked at.

    Raises:
        CheckError: a table's lines aren't as many as were delivered.
    """
    cure = f"mend the table's columns in conf/sources/{source.name}.yaml, or deliver it again"
    found = []
    for (name, day), count in sorted(counts.items(), key=lambda one: one[0]):
        n, n_wrong = count.n_lines, count.n_lines - count.n_accepted
        expected = sum(
            file.n_lines for one in due if one.delivery_date == day for file in one.files if file.kind == name
        )
        if n != expected:
            raise CheckError(f"nothing was published: {name} delivery_date={day}: {n} lines, expected {expected}")
        if n_wrong > source.max_rejected_share * n and day not in accepted:
            told = ", ".join(f"{n} {reason}" for reason, n in sorted(count.by_reason.items(), key=str) if reason)
            head = f"  delivery_date={day} {name}: {n_wrong} of {count.n_lines} lines are rejected: {told}"
            found.append(Unlikely(day, head, cure))
    return found


def warn_of_contradictions(counts: SideCounts) -> None:
    """Log each delivery of a side table whose lines say different things of one key from one moment on."""
    for (name, day), count in sorted(counts.items(), key=lambda one: one[0]):
        if count.n_contradicted:
            log.warning("contradicted_rows", table=name, delivery_date=str(day), n_keys=count.n_contradicted)


def side_facts(
    due: Sequence[RawDelivery],
    inputs: Mapping[date, Mapping[str, str]],
    name: str,
    counts: SideCounts,
    accepted: Mapping[date, Mapping[str, str]],
) -> Mapping[str, PartitionFacts]:
    """Return what the manifests of a side table say of each delivery: its lines, and where they went."""
    facts = {}
    for delivery in due:
        count = counts.get((name, delivery.delivery_date), SideCount())
        counters = {
            "n_lines": count.n_lines,
            "n_accepted": count.n_accepted,
            "n_rejected": count.n_lines - count.n_accepted,
            **{f"rejected.{reason}": n for reason, n in sorted(count.by_reason.items(), key=str) if reason is not None},
        }
        if count.n_contradicted:
            counters["n_contradicted"] = count.n_contradicted
        notes = accepted.get(delivery.delivery_date, {})
        facts[str(delivery.delivery_date)] = PartitionFacts(
            inputs[delivery.delivery_date], counters, ["every_line_accepted_or_rejected"], notes
        )
    return facts
