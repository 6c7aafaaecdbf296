"""Some of the ids that a feed's events name: whether the tables that should know them do shows in few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

ITEMS, REFUNDED = "items", "refunded"
"""Kinds of ids: of items, and of the orders that refunds name."""

MOST = {ITEMS: 200, REFUNDED: 500}

IdSample = Mapping[str, Mapping[str, list[str]]]
"""Distinct ids of a delivery, by feed and kind, ascending; a kind that the feed names none of is left out."""

_COLUMNS = ("feed", "reason", "event_type", "item_id", "order_id", "further")


def sample_ids(lines: pa.Table) -> IdSample:
    """Return some of the ids in accepted lines, the first met.

    Args:
        lines: columns of `PARSED_SCHEMA`, feed and reason.
    """
    # A filter copies what it keeps: only what is looked at.
    accepted = lines.select(_COLUMNS).filter(pc.is_null(lines["reason"]))
    found: dict[str, dict[str, list[str]]] = {}
    for feed in pc.unique(accepted["feed"]).to_pylist():
        of_feed = accepted.filter(pc.equal(accepted["feed"], feed))
        further = pa.concat_arrays(of_feed["further"].chunks).flatten()
        refunded = [_of_refunds(of_feed["event_type"], of_feed["order_id"])]
        if len(further):
            refunded.append(_of_refunds(further.field("event_type"), further.field("order_id")))
        given = {ITEMS: [of_feed["item_id"]], REFUNDED: refunded}
        kinds = {kind: ids for kind, columns in given.items() if (ids := _some(kind, columns))}
        if kinds:
            found[feed] = kinds
    return found


def sum_of_samples(samples: Iterable[IdSample]) -> IdSample:
    """Return the same of several parts of a delivery."""
    found: dict[str, dict[str, set[str]]] = {}
    for sample in samples:
        for feed, kinds in sample.items():
            for kind, ids in kinds.items():
                found.setdefault(feed, {}).setdefault(kind, set()).update(ids)
    return {
        feed: {kind: sorted(ids)[: MOST[kind]] for kind, ids in kinds.items()} for feed, kinds in sorted(found.items())
    }


def _of_refunds(event_type: pa.Array | pa.ChunkedArray, order_id: pa.Array | pa.ChunkedArray) -> pa.Array:
    return order_id.filter(pc.equal(event_type, "refund"))


def _some(kind: str, columns: Iterable[pa.Array | pa.ChunkedArray]) -> list[str]:
    ids = {one for column in columns for one in pc.unique(column).drop_null()[: MOST[kind]].to_pylist()}
    return sorted(ids)[: MOST[kind]]
