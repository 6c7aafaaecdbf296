"""Lines with their reasons become rows: events, one or more of an accepted line, and rejected lines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.tables import EVENTS, EVENTS_REJECTED
from jobs.events.line_reasons import flat, part_ids
from jobs.parsing.event_parsing import RECORD_FIELDS
from jobs.publishing.arrow_hash import SEED, fold

_OF_LINE = ("event_id", "event_time", "user_id", "event_date")


def events_of(lines: pa.Table, n_buckets: int) -> pa.Table:
    """Return the accepted lines' events: columns of the table, event_date and user_bucket.

    Args:
        lines: columns of `PARSED_SCHEMA`, of `with_reasons`.
        n_buckets: into which shoppers are split.
    """
    accepted = lines.filter(pc.is_null(lines["reason"])).combine_chunks()
    own = {name: accepted[name] for name in (*_OF_LINE, *RECORD_FIELDS)}
    own["line_part"] = pa.repeat(pa.scalar(0, pa.int32()), len(accepted))
    names = [*own]
    found = pa.concat_tables([pa.table(own), _further_events(accepted).select(names)]).combine_chunks()
    users = pc.fill_null(flat(found["user_id"]), "")
    found = found.set_column(names.index("user_id"), "user_id", users)
    found = found.append_column("user_bucket", pa.array(buckets(users, n_buckets), pa.int32()))
    return found.select([*EVENTS.column_names, "event_date", "user_bucket"])


def rejected_of(lines: pa.Table) -> pa.Table:
    """Return the rejected lines: columns of the table."""
    return lines.filter(pc.is_valid(lines["reason"])).select(EVENTS_REJECTED.column_names)


def buckets(users: pa.StringArray, n_buckets: int) -> npt.NDArray[np.int64]:
    """Return each shopper's bucket, `(n,)`: as Spark's `pmod(xxhash64(user_id), n_buckets)`."""
    encoded = users.dictionary_encode()
    seeds = np.full(len(encoded.dictionary), SEED, dtype=np.uint64)
    known = fold(seeds, encoded.dictionary).view(np.int64) % n_buckets
    found: npt.NDArray[np.int64] = known[np.asarray(encoded.indices)]
    return found


def _further_events(accepted: pa.Table) -> pa.Table:
    """Return the events after the first of each line."""
    further = flat(accepted["further"])
    parents, records = pc.list_parent_indices(further), pc.list_flatten(further)
    lengths = np.asarray(pc.fill_null(pc.list_value_length(further), 0)).astype(np.int64)
    before = np.repeat(np.cumsum(lengths) - lengths, lengths)
    parts = pa.array(np.arange(len(records)) - before + 1, pa.int32())
    of_line = accepted.select(list(_OF_LINE)).take(parents)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {name: of_line[name] for name in _OF_LINE}
    columns |= {name: pc.struct_field(records, name) for name in RECORD_FIELDS}
    return pa.table(columns | {"event_id": part_ids(flat(of_line["event_id"]), parts), "line_part": parts})
