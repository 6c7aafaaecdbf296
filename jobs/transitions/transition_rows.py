"""What the kernel makes of a partition's events as rows of the transitions table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from conf.kernel.arrays import IntArray
from conf.kernel.decisions import DecisionRows
from conf.kernel.stream import NO_ID
from conf.kernel.transitions import Rules, StreamTransitions
from jobs.events.event_columns import EventColumns
from jobs.events.observation_structs import observation_structs
from jobs.sessions.ids import session_ids


def transition_rows(
    events: EventColumns, made: StreamTransitions, rules: Rules, *, names: Sequence[str], passes_propensity: bool
) -> pa.StructArray:
    """Return one struct a transition: the table's columns and `date`, the day its session started.

    Args:
        events: of the partition.
        made: what the kernel makes of them.
        rules: that it followed.
        names: of the table's columns, in order.
        passes_propensity: whether logged propensities are passed on; implied decisions have none.
    """
    row = pa.array(made.row)
    session_id = _session_ids(events, made)
    propensity = events.table["propensity"].combine_chunks().take(row)
    if not passes_propensity:
        propensity = pa.nulls(len(row), propensity.type)
    decision_id = pc.coalesce(events.table["decision_id"].combine_chunks(), events.table["event_id"].combine_chunks())
    columns: dict[str, pa.Array] = {
        "episode_id": _episode_ids(session_id, made.part),
        "step": pa.array(made.step.astype(np.int32)),
        "session_id": session_id,
        "user_id": _taken(events, "user_id", row),
        "decision_id": decision_id.take(row),
        "position": _taken(events, "position", row),
        "decision_time": _taken(events, "event_time", row),
        "observation": observation_structs(made.features, rules.lengths, made.point),
        "action_id": pa.array(made.action, mask=made.action == NO_ID),
        "action_key": action_keys(events, rules, made.decisions).take(row),
        "reward": pa.array(made.reward),
        "metrics": _metrics(made.metrics, len(row)),
        "next_observation": observation_structs(made.features, rules.lengths, made.point + 1),
        "terminal": pa.array(made.terminal),
        "timeout": pa.array(made.timeout),
        "reward_settled": pa.array(made.reward_settled),
        "propensity": propensity,
        "propensity_source": pc.if_else(pc.is_valid(propensity), "logged", "none"),
        "policy_version": _taken(events, "policy_version", row),
        "availability_id": _taken(events, "availability_id", row),
        "next_availability_id": events.set_ids.take(pa.array(made.next_availability)),
        "elapsed_seconds": pa.array(made.elapsed_seconds),
    }
    day = pa.array(made.sessions.day[made.session].astype(np.int32)).cast(pa.date32())
    return pa.StructArray.from_arrays([*(columns[name] for name in names), day], [*names, "date"])


def _taken(events: EventColumns, name: str, row: pa.Array) -> pa.Array:
    return events.table[name].combine_chunks().take(row)


def _session_ids(events: EventColumns, made: StreamTransitions) -> pa.Array:
    """Return each transition's session id; made once a session."""
    numbers, place = np.unique(made.session, return_inverse=True)
    return session_ids(events, made.sessions.starts[numbers]).take(pa.array(place))


def _episode_ids(session_id: pa.Array, part: IntArray) -> pa.Array:
    """Return the hash of the session and of the part it goes on in; made once an episode."""
    named = pc.binary_join_element_wise(session_id, pa.array(part).cast(pa.string()), "|").dictionary_encode()
    ids = [sha256(key.encode("utf-8")).hexdigest()[:32] for key in named.dictionary.to_pylist()]
    return pa.array(ids, pa.string()).take(named.indices)


def action_keys(events: EventColumns, rules: Rules, decided: DecisionRows) -> pa.Array:
    """Return the natural key of what each row would choose as a decision, or where units are ordered, has chosen."""
    table, decision = events.table, rules.decision
    if decision.key == "quantity":
        known = pa.array(decision.quantities.actions, pa.int64())
        place = pc.index_in(pa.array(decided.action), value_set=known)
        return pa.array(decision.quantities.keys, pa.string()).take(place)
    item, category, action = (table[name].combine_chunks() for name in ("item_id", "category_id", "action"))
    if decision.key == "item":
        return pc.coalesce(action, item)
    return pc.coalesce(category, action) if decision.is_logged else category


def _metrics(metrics: Mapping[str, IntArray], n_rows: int) -> pa.StructArray:
    counted = dict(metrics) or {"none": np.zeros(n_rows, dtype=np.int64)}
    return pa.StructArray.from_arrays([pa.array(values) for values in counted.values()], list(counted))
