"""What the source's items tell of events that don't say it themselves: their category, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.kernel.arrays import IntArray
from conf.kernel.earnings import PURCHASE, REFUND
from conf.kernel.stream import NO_ID
from conf.kernel.told import Told, value_as_of
from conf.observation_features import id_hash
from jobs.events.column_numbers import days, id_hashes, micros, of_pieces, whole

COSTED_TYPES = (PURCHASE, REFUND)
"""Events that have a cost of goods."""

FACT_COLUMNS = ("item_id", "valid_from", "delivery_date", "category_id", "cost")
"""Columns of the items table that facts are made of."""


@dataclass(frozen=True)
class ItemFacts:
    """What is told of items; each None where it isn't asked for.

    Attributes:
        categories: id hashes of categories, as told before an event's day, as features see them.
        names: natural keys of the categories, by the order of their hashes.
        hashes: of these, ascending.
        costs: of a piece in millionths, and 1, as told by the end of an event's day.
    """

    categories: Told | None
    names: pa.StringArray
    hashes: IntArray
    costs: Told | None

    def fill(self, events: pa.Table) -> pa.Table:
        """Return the events with what was true of their items then, where they don't say it; in any order.

        Args:
            events: with item_id, event_time, event_date; category_id, cost, quantity and event_type where asked for.
        """
        if self.categories is not None:
            events = self._with_categories(events, self.categories)
        return events if self.costs is None else self._with_costs(events, self.costs)

    def _with_categories(self, events: pa.Table, told: Told) -> pa.Table:
        own = events["category_id"].combine_chunks()
        found = _told_of(told, events, own.is_null())
        place = np.minimum(np.searchsorted(self.hashes, found), max(0, len(self.hashes) - 1))
        filled = pc.coalesce(own, self.names.take(pa.array(place, mask=found == NO_ID)))
        return events.set_column(events.schema.get_field_index("category_id"), "category_id", filled)

    def _with_costs(self, events: pa.Table, told: Told) -> pa.Table:
        own, quantity = events["cost"].combine_chunks(), events["quantity"].combine_chunks()
        is_costed = pc.is_in(events["event_type"].combine_chunks(), value_set=pa.array(COSTED_TYPES))
        lacks = pc.and_(pc.and_(own.is_null(), quantity.is_valid()), is_costed)
        found = _told_of(told, events, lacks)
        cost, fits = of_pieces(found - 1, whole(pc.fill_null(quantity, 0)))
        filled = pa.array(cost, mask=~fits | (found == NO_ID))
        return events.set_column(events.schema.get_field_index("cost"), "cost", pc.coalesce(own, filled))


def item_facts(categories: pa.Table | None, costs: pa.Table | None) -> ItemFacts:
    """Return what is told of items.

    Args:
        categories: FACT_COLUMNS of what is told of categories, a row without one that there is none; None where
            events don't lack theirs.
        costs: FACT_COLUMNS of rows with a cost; None where purchases and refunds don't lack theirs.
    """
    named = pa.array([], pa.string())
    if categories is not None:
        named = pc.unique(categories["category_id"]).drop_null().cast(pa.string())
    hashes = np.array([id_hash(name) for name in named.to_pylist()], dtype=np.int64)
    order = np.argsort(hashes)
    return ItemFacts(
        categories=None
        if categories is None
        else _told(categories, id_hashes(categories["category_id"]), days_later=0),
        names=named.take(pa.array(order)),
        hashes=hashes[order],
        costs=None if costs is None else _told(costs, whole(costs["cost"]) + 1, days_later=-1),
    )


def _told(rows: pa.Table, value: IntArray, *, days_later: int) -> Told:
    """Return the rows as told, `days_later` after their delivery."""
    return Told(id_hashes(rows["item_id"]), micros(rows["valid_from"]), days(rows["delivery_date"]) + days_later, value)


def _told_of(told: Told, events: pa.Table, lacks: pa.BooleanArray) -> IntArray:
    """Return what was known of the items of the rows that lack something, NO_ID elsewhere, `(n,)`."""
    asked = np.flatnonzero(np.asarray(pc.and_(lacks, events["item_id"].combine_chunks().is_valid())))
    some = events.select(["item_id", "event_time", "event_date"]).take(pa.array(asked))
    found = np.full(len(events), NO_ID, dtype=np.int64)
    found[asked] = value_as_of(told, id_hashes(some["item_id"]), micros(some["event_time"]), days(some["event_date"]))
    return found
