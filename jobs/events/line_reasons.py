"""Lines get the reasons that only other lines show, in columns of Arrow: repetitions and bots; and events their ids.

All other reasons a line has by itself, from its parser.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.specs.source import Source
from jobs.publishing.arrow_hash import fold
from jobs.publishing.row_cells import run_starts

IntArray = npt.NDArray[np.int64]

_GIVEN, _OWN = np.uint64(1), np.uint64(2)


def identity_hashes(lines: pa.Table | pa.RecordBatch) -> pa.UInt64Array:
    """Return a hash of what makes a line another one's repetition, `(n,)`: equal for all that are.

    That is the id they were given, or what the whole line says. It is null for rejected lines.
    """
    given, own = flat(lines["event_id"]), flat(lines["line_hash"])
    seeds = np.where(np.asarray(given.is_valid().to_numpy(zero_copy_only=False)), _GIVEN, _OWN)
    is_rejected = np.asarray(flat(lines["reason"]).is_valid().to_numpy(zero_copy_only=False))
    return pa.array(fold(seeds, pc.coalesce(given, own)), mask=is_rejected)


def repetitions(lines: pa.Table) -> IntArray:
    """Return how many lines with the same identity stand before each one in the delivery, from 0, `(n,)`.

    Identical lines are interchangeable; lines that share a given id stand by their hash. So the order in which they
    were delivered doesn't matter.

    Args:
        lines: event_id, line_hash, file and line_number of acceptable lines of one delivery, with all that may share
            an identity.
    """
    given, own = flat(lines["event_id"]), flat(lines["line_hash"])
    told = pa.table(
        {"is_own": given.is_null(), "identity": pc.coalesce(given, own)}
        | {name: lines[name] for name in ("line_hash", "file", "line_number")}
    )
    order = pc.sort_indices(told, sort_keys=[(name, "ascending") for name in told.column_names])
    ordered = told.select(["is_own", "identity"]).take(order).combine_chunks()
    places = np.arange(len(order))
    first = run_starts([_numbers(ordered["is_own"]), _numbers(ordered["identity"])])[:-1]
    found = np.empty(len(order), dtype=np.int64)
    found[np.asarray(order)] = places - np.repeat(first, np.diff(np.append(first, len(order))))
    return found


def with_reasons(lines: pa.Table, n_before: IntArray, source: Source) -> pa.Table:
    """Return the lines with `reason` (null: accepted) also for what only other lines show, and `event_id` set.

    Args:
        lines: columns of `PARSED_SCHEMA`, of one delivery; all acceptable lines of each shopper that is among them.
        n_before: of `repetitions`, `(n,)`.
        source: says what repetitions and bots are.
    """
    reason = flat(lines["reason"])
    if source.duplicates == "reject":
        is_repeat = pc.and_(reason.is_null(), pa.array(n_before > 0))
        reason = pc.if_else(is_repeat, pa.scalar("duplicate"), reason)
    if source.bots is not None:
        reason = _with_bots(lines, reason, source.bots.max_events_per_hour)
    found = {name: lines[name] for name in lines.column_names}
    found |= {"reason": reason, "event_id": event_ids(flat(lines["event_id"]), flat(lines["line_hash"]), n_before)}
    return pa.table(found)


def event_ids(given: pa.StringArray, line_hashes: pa.StringArray, n_before: IntArray) -> pa.StringArray:
    """Return the id of each line's event: the given one or the line's hash, and `#k` for its k-th repetition.

    A `#` in a given id is doubled, so that no given id looks like a repetition's.
    """
    base = pc.coalesce(pc.replace_substring(given, "#", "##"), line_hashes)
    if not n_before.any():
        return base
    numbered = pc.binary_join_element_wise(base, pa.array(n_before).cast(pa.string()), "#")
    return pc.if_else(pa.array(n_before > 0), numbered, base)


def part_ids(ids: pa.StringArray, parts: pa.Int32Array) -> pa.StringArray:
    """Return the ids of further events read off the same lines: `#k.part`, with k = 0 unless the line is repeated."""
    has_suffix = pc.match_substring(pc.replace_substring(ids, "##", ""), "#")
    between = pc.if_else(has_suffix, pa.scalar("."), pa.scalar("#0."))
    return pc.binary_join_element_wise(ids, between, parts.cast(pa.string()), "")


def _with_bots(lines: pa.Table, reason: pa.StringArray, most: int) -> pa.StringArray:
    """Reject all events of a shopper's delivery once any clock hour holds more than the rule allows."""
    users = flat(lines["user_id"])
    is_candidate = pc.and_(reason.is_null(), pc.not_equal(pc.fill_null(users, ""), ""))
    hours = pc.floor_temporal(flat(lines["event_time"]), unit="hour")
    candidates = pa.table({"user_id": users, "hour": hours}).filter(is_candidate)
    counted = candidates.group_by(["user_id", "hour"]).aggregate([([], "count_all")])
    bots = pc.unique(counted.filter(pc.greater(counted["count_all"], most))["user_id"])
    is_bot = pc.and_(is_candidate, pc.is_in(users, value_set=flat(bots)))
    return pc.if_else(is_bot, pa.scalar("bot_rate"), reason)


def _numbers(values: pa.ChunkedArray) -> IntArray:
    """Return numbers that are equal where the values are, `(n,)`."""
    return np.asarray(flat(values.dictionary_encode()).indices.to_numpy()).astype(np.int64)


def flat(values: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
