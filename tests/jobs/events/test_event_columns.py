"""Arrow's rows as the kernel's columns."""

from __future__ import annotations

import pytest

from jobs.events.event_columns import event_columns
from jobs.events.ordered_partitions import EVENTS_A_PARTITION, n_partitions_for
from tests.jobs.transitions.shop_events import event, events_table


@pytest.mark.parametrize(("kind", "told"), [("zzz", "zzz"), (None, "None")])
def test_a_type_that_is_not_canonical_is_named(kind: str | None, told: str) -> None:
    """Nothing is taken for the first type, or for none."""
    table = events_table([event("view")])
    types = table["event_type"].type
    spoiled = table.set_column(table.column_names.index("event_type"), "event_type", [[kind]])
    with pytest.raises(ValueError, match=f"events of type {told}; canonical types are "):
        event_columns(spoiled.cast(table.schema.set(2, table.schema.field(2).with_type(types))))


def test_columns_that_are_null_throughout_are_none() -> None:
    found = event_columns(events_table([event("stock", user_id="shop")])).stream
    assert (found.item.tolist(), found.link.tolist(), found.availability.tolist()) == ([0], [0], [0])


def test_no_partition_is_larger_than_a_worker_holds() -> None:
    """As many parts as configured, and more where these would be too large."""
    assert n_partitions_for(10, 4) == 4
    assert n_partitions_for(4 * EVENTS_A_PARTITION, 4) == 4
    assert n_partitions_for(4 * EVENTS_A_PARTITION + 1, 4) == 5
