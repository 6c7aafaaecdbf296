"""Transitions as NumPy columns, in the order every later step relies on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from conf.specs.scenario import Scenario
from rl.data.elapsed_time import elapsed_microseconds
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import DatasetError

Columns = Mapping[str, IntArray]

N_LOTS = 1_000_000


@dataclass(frozen=True)
class Transitions:
    """Rows sorted by episode start, episode id and step; the rows of an episode are contiguous.

    Attributes:
        observation: feature name -> `(n,)`, or `(n, length)` for lists, padded with 0 at the end.
        next_observation: the same, at the next decision or at closing time.
        action_id: `(n,)`; natural keys in `action_keys`.
        action_keys: action id -> natural key.
        reward: millionths of the reward unit, `(n,)`.
        metrics: name -> attributed events, `(n,)`.
        terminal: nothing follows, `(n,)`.
        timeout: cut, `(n,)`.
        is_settled: the attribution window had closed, `(n,)`.
        propensity: `(n,)`, NaN where not known.
        policy_version: index into `policy_versions`, `(n,)`.
        policy_versions: names, ascending; `unknown` where the log names none.
        availability: index into `availability_ids`, -1 where the log names none, `(n,)`.
        next_availability: the same at the next observation, `(n,)`.
        availability_ids: ascending.
        elapsed_microseconds: to the next decision or closing time, `(n,)`.
        decision_time: microseconds since the epoch, `(n,)`.
        offsets: start row of each episode and, last, `n`: `(n_episodes + 1,)`.
        user: index of the episode's shopper, `(n_episodes,)`.
        lot: of the episode's shopper, from 0 up to `N_LOTS`, by the pseudonym: the same in every part and on every
            night, `(n_episodes,)`.
    """

    observation: Columns
    next_observation: Columns
    action_id: IntArray
    action_keys: Mapping[int, str]
    reward: IntArray
    metrics: Columns
    terminal: BoolArray
    timeout: BoolArray
    is_settled: BoolArray
    propensity: FloatArray
    policy_version: IntArray
    policy_versions: tuple[str, ...]
    availability: IntArray
    next_availability: IntArray
    availability_ids: tuple[str, ...]
    elapsed_microseconds: IntArray
    decision_time: IntArray
    offsets: IntArray
    user: IntArray
    lot: IntArray

    @property
    def n_transitions(self) -> int:
        return len(self.action_id)

    @property
    def n_episodes(self) -> int:
        return len(self.offsets) - 1

    @property
    def start_time(self) -> IntArray:
        """First decision of each episode, microseconds since the epoch, `(n_episodes,)`."""
        return self.decision_time[self.offsets[:-1]]

    def take_episodes(self, episodes: IntArray) -> Transitions:
        """Return the given episodes, in the given order."""
        lengths = np.diff(self.offsets)[episodes]
        return self.take_rows(_rows_of(self.offsets[episodes], lengths), episodes=episodes, lengths=lengths)

    def take_rows(self, rows: IntArray, *, episodes: IntArray, lengths: IntArray) -> Transitions:
        """Return the given rows: `lengths[i]` successive rows of each episode `episodes[i]`."""
        taken: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("observation", "next_observation", "metrics"):
                taken[field.name] = {name: column[rows] for name, column in value.items()}
            elif isinstance(value, np.ndarray) and field.name not in ("offsets", "user", "lot"):
                taken[field.name] = value[rows]
            else:
                taken[field.name] = value
        taken["offsets"] = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        taken["user"] = self.user[episodes]
        taken["lot"] = self.lot[episodes]
        return Transitions(**taken)  # type: ignore[arg-type]  # every field is set above, by its own name


def transitions_from_table(table: pa.Table, scenario: Scenario) -> Transitions:
    """Return the table's rows as sorted columns.

    Raises:
        DatasetError: an episode that doesn't go step by step from 0, times that contradict each other, or holes where
            the contract allows none.
    """
    _refuse_nulls(table)
    episode_codes, _ = _codes(table.column("episode_id"))
    order, offsets = _episode_order(episode_codes, _integers(table.column("decision_time")), table)
    table = table.take(pa.array(order))
    users, pseudonyms = _codes(table.column("user_id"))
    lots = np.array([_lot(pseudonym) for pseudonym in pseudonyms], dtype=np.int64)
    decision_time = _integers(table.column("decision_time"))
    versions, version_names = _codes(table.column("policy_version").fill_null("unknown"))
    now, later, availability_ids = _availability(table)
    lengths = {feature.name: feature.length for feature in scenario.observation.features}
    keys = pa.table({"id": table.column("action_id"), "key": table.column("action_key")}).group_by(["id", "key"])
    return Transitions(
        observation=struct_columns(table.column("observation"), lengths),
        next_observation=struct_columns(table.column("next_observation"), lengths),
        action_id=_integers(table.column("action_id")),
        action_keys=_action_keys(keys.aggregate([])),
        reward=_integers(table.column("reward")),
        metrics=struct_columns(table.column("metrics"), dict.fromkeys(scenario.metrics)),
        terminal=_flags(table.column("terminal")),
        timeout=_flags(table.column("timeout")),
        is_settled=_flags(table.column("reward_settled")),
        propensity=_reals(table.column("propensity")),
        policy_version=versions,
        policy_versions=version_names,
        availability=now,
        next_availability=later,
        availability_ids=availability_ids,
        elapsed_microseconds=elapsed_microseconds(
            _integers(table.column("elapsed_seconds")), decision_time, _codes(table.column("session_id"))[0], offsets
        ),
        decision_time=decision_time,
        offsets=offsets,
        user=users[offsets[:-1]],
        lot=lots[users[offsets[:-1]]],
    )


def _lot(pseudonym: str) -> int:
    """Return the lot that a shopper draws by the pseudonym, uniform since keyed hashes are."""
    return int.from_bytes(sha256(pseudonym.encode("utf-8")).digest()[:8], "big") * N_LOTS >> 64


def _rows_of(starts: IntArray, lengths: IntArray) -> IntArray:
    """Return the rows start, start + 1, ... of each trajectory, one trajectory after another."""
    first = np.cumsum(lengths) - lengths
    return np.asarray(np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(starts - first, lengths))


def _refuse_nulls(table: pa.Table) -> None:
    nullable = ("position", "propensity", "policy_version", "availability_id", "next_availability_id")
    if holes := [name for name in table.column_names if name not in nullable and table.column(name).null_count]:
        raise DatasetError(f"transitions: nulls in {', '.join(holes)}; expected none; build the partitions again")


def _episode_order(episode: IntArray, decision_time: IntArray, table: pa.Table) -> tuple[IntArray, IntArray]:
    """Return the row order by episode start, episode id and step, and the offsets of the episodes."""
    step = _integers(table.column("step"))
    n_episodes = int(episode.max(initial=-1)) + 1
    starts = np.full(n_episodes, np.iinfo(np.int64).max)
    np.minimum.at(starts, episode, decision_time)
    order = np.lexsort((step, episode, starts[episode]))
    lengths = np.bincount(episode, minlength=n_episodes)[np.lexsort((np.arange(n_episodes), starts))]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    expected = np.arange(len(order)) - np.repeat(offsets[:-1], lengths)
    if (bad := np.flatnonzero(step[order] != expected)).size:
        row = int(order[bad[0]])
        name = table.column("episode_id")[row].as_py()
        raise DatasetError(
            f"transitions: {bad.size} rows are out of step, such as episode {name} at step {step[row]} (expected "
            f"{expected[bad[0]]}); build its dates again"
        )
    return order.astype(np.int64), offsets


def _availability(table: pa.Table) -> tuple[IntArray, IntArray, tuple[str, ...]]:
    both = pa.chunked_array(
        [*table.column("availability_id").chunks, *table.column("next_availability_id").chunks], type=pa.string()
    )
    codes, names = _codes(both)
    return codes[: table.num_rows], codes[table.num_rows :], names


def _action_keys(pairs: pa.Table) -> dict[int, str]:
    keys = dict(zip(pairs.column("id").to_pylist(), pairs.column("key").to_pylist(), strict=True))
    if len(keys) != pairs.num_rows:
        raise DatasetError("transitions: one action id stands for several natural keys; build the partitions again")
    return keys


def struct_columns(column: pa.ChunkedArray, lengths: Mapping[str, int | None]) -> dict[str, IntArray]:
    """Return the features of observations by name: `(n,)`, or `(n, length)` for lists, padded with 0 at the end.

    Raises:
        DatasetError: a feature is missing in a row.
    """
    columns = {}
    for name, length in lengths.items():
        values = pc.struct_field(column, name)
        if values.null_count:
            raise DatasetError(f"transitions: nulls in {name}; expected none; build the partitions again")
        columns[name] = _integers(values) if length is None else _padded(values, length)
    return columns


def _padded(column: pa.ChunkedArray, length: int) -> IntArray:
    """Return the lists as an array, cut at the length and padded with 0, `(n, length)`."""
    lists = _one_chunk(column)
    offsets = lists.offsets.to_numpy(zero_copy_only=False).astype(np.int64)
    values = np.concatenate([lists.values.to_numpy(zero_copy_only=False).astype(np.int64), [0]])
    place = np.arange(length)
    inside = place < np.diff(offsets)[:, None]
    return np.asarray(np.where(inside, values[np.where(inside, offsets[:-1, None] + place, -1)], 0))


def _codes(column: pa.ChunkedArray) -> tuple[IntArray, tuple[str, ...]]:
    """Return the index of each value among the ascending distinct values, -1 for null."""
    encoded = _one_chunk(column).dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names) + 1, dtype=np.int64)
    rank[order] = np.arange(len(names))
    rank[-1] = -1
    indices = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.asarray(rank[indices]), tuple(names[i] for i in order)


def _integers(column: pa.ChunkedArray) -> IntArray:
    plain = column.cast(pa.int64()) if not pa.types.is_int64(column.type) else column
    return np.ascontiguousarray(plain.to_numpy(), dtype=np.int64)


def _reals(column: pa.ChunkedArray) -> FloatArray:
    values: npt.NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    return np.ascontiguousarray(values, dtype=np.float64)


def _flags(column: pa.ChunkedArray) -> BoolArray:
    return np.ascontiguousarray(column.to_numpy(), dtype=bool)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else combined.chunk(0)
