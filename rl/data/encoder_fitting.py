"""The observation encoder, fitted on training rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from conf.observation_features import PERIODS, FeatureDefinition, attribute_of, feature_named
from rl.data.logged_episodes import IntArray
from rl.policy.item_attributes import ItemAttributes
from rl.policy.observation_encoder import ColumnEncoding, ObservationEncoder

# At most this many ids of a space get a place of their own, and only those seen in this share of the training rows:
# a rarer id adds inputs that are almost always zero and that no weight can be learned for. On the Taobao sample, 200
# categories instead of 100 double the inputs and raise the clone's agreement with the log from .474 to .481.
LARGEST_SPACE: dict[str, int] = {"item": 100, "category": 64}
SMALLEST_SHARE = 0.002

# An id gets an embedding of its own where the training rows hold it so often, at most so many of them.
SMALLEST_TOKEN_COUNT = 5
LARGEST_TOKEN_SPACE = 1_000_000

# An entry weighs this much of the one before it.
DECAY = 0.6


def fit_encoder(
    observation: Mapping[str, IntArray], *, action_space: str = "", largest_space: Mapping[str, int] | None = None
) -> ObservationEncoder:
    """Return an encoder fitted on these rows: means, spreads and id spaces of the features.

    Args:
        observation: training rows, feature name -> `(n,)` or `(n, length)`.
        action_space: `item` or `category`, where actions are such ids: that space may be as large as any.
        largest_space: ids of a space that get a place of their own, at most.
    """
    largest = {**LARGEST_SPACE, **(largest_space or {})}
    if action_space:
        largest[action_space] = max(largest.values())
    spaces: dict[str, list[IntArray]] = {}
    for name, values in observation.items():
        if values.ndim == 2:
            spaces.setdefault(_list_feature(name).id_space, []).append(values)
    codes = {name: _frequent_codes(values) for name, values in observation.items() if attribute_of(name)}
    return ObservationEncoder(
        columns=tuple(_fit_column(name, values) for name, values in observation.items()),
        spaces={space: _frequent_ids(lists, largest[space]) for space, lists in sorted(spaces.items())} | codes,
    )


def with_items(encoder: ObservationEncoder, items: ItemAttributes) -> ObservationEncoder:
    """Return the encoder that knows the items, and reads each entry of a list of items by its attributes, not its id.

    An id has a place of its own in the hundred most frequent alone; attributes are known of every item.
    """
    columns = (
        replace(column, kind="attributes", space="", decay=0.0, has_latest=False) if _holds_items(column) else column
        for column in encoder.columns
    )
    spaces = {name: ids for name, ids in encoder.spaces.items() if name != "item"}
    return ObservationEncoder(tuple(columns), spaces, items)


def _holds_items(column: ColumnEncoding) -> bool:
    return column.kind == "list" and column.space == "item"


def with_tokens(
    encoder: ObservationEncoder, observation: Mapping[str, IntArray], *, action_space: str, action_ids: tuple[int, ...]
) -> ObservationEncoder:
    """Return the encoder with the entries of every list added as token columns at the end.

    Args:
        encoder: fitted on the same rows; what it encodes stays as it is.
        observation: training rows.
        action_space: `item` or `category`, where actions are such ids, else anything.
        action_ids: of the vocabulary; the action space's tokens begin with them, in their order, so that an action and
            an entry of a list share an embedding.
    """
    names = [name for name, values in observation.items() if values.ndim == 2]
    spaces: dict[str, tuple[int, ...]] = {}
    for space in sorted({_list_feature(name).id_space for name in names}):
        lists = [observation[name] for name in names if _list_feature(name).id_space == space]
        spaces[_token_space(space)] = _token_ids(lists, action_ids if space == action_space else ())
    columns = (
        ColumnEncoding(
            name, "tokens", space=_token_space(_list_feature(name).id_space), length=observation[name].shape[1]
        )
        for name in names
    )
    return ObservationEncoder((*encoder.columns, *columns), {**encoder.spaces, **spaces}, encoder.items)


def _list_feature(name: str) -> FeatureDefinition:
    """Return what a list feature is.

    Raises:
        KeyError: there is no such feature.
    """
    definition = feature_named(name)
    if definition is None:
        raise KeyError(f"no feature is called {name}")
    return definition


def _token_space(space: str) -> str:
    return f"{space} tokens"


def _token_ids(lists: list[IntArray], first: tuple[int, ...]) -> tuple[int, ...]:
    """Return the ids of the action space first, then others by number of entries, most first, ties by ascending id."""
    ids, counts = np.unique(np.concatenate([values.ravel() for values in lists]), return_counts=True)
    order = np.lexsort((ids, -counts))
    is_frequent = (counts[order] >= SMALLEST_TOKEN_COUNT) & (ids[order] != 0) & ~np.isin(ids[order], first)
    return (*first, *ids[order][is_frequent][:LARGEST_TOKEN_SPACE].tolist())


def _fit_column(name: str, values: IntArray) -> ColumnEncoding:
    if values.ndim == 2:
        definition = _list_feature(name)
        return ColumnEncoding(
            name,
            "list",
            space=definition.id_space,
            length=values.shape[1],
            decay=DECAY,
            has_latest=definition.delay == "none",
        )
    if attribute_of(name):
        return ColumnEncoding(name, "codes", space=name)
    if name in PERIODS:
        return ColumnEncoding(name, "cyclic", period=PERIODS[name])
    logarithms = np.log1p(values[values >= 0])
    spread = float(logarithms.std()) if logarithms.size else 0.0
    return ColumnEncoding(
        name,
        "count",
        mean=float(logarithms.mean()) if logarithms.size else 0.0,
        spread=spread if spread > 1e-9 else 1.0,
        has_missing=bool((values < 0).any()),
    )


def _frequent_codes(values: IntArray) -> tuple[int, ...]:
    """Return the codes that enough of the rows hold, ascending."""
    codes, counts = np.unique(values, return_counts=True)
    return tuple(codes[counts >= SMALLEST_SHARE * len(values)].tolist())


def _frequent_ids(lists: list[IntArray], largest: int) -> tuple[int, ...]:
    """Return the ids by number of rows that hold them, most first, ties by ascending id."""
    n_rows = max((len(values) for values in lists), default=0)
    counts: dict[int, int] = {}
    for values in lists:
        by_row = np.sort(values, axis=1)
        is_first = np.concatenate([np.ones((len(values), 1), dtype=bool), by_row[:, 1:] != by_row[:, :-1]], axis=1)
        ids, n = np.unique(by_row[is_first & (by_row != 0)], return_counts=True)
        for id_, count in zip(ids.tolist(), n.tolist(), strict=True):
            counts[id_] = max(counts.get(id_, 0), count)
    frequent = [id_ for id_, count in counts.items() if count >= SMALLEST_SHARE * n_rows]
    return tuple(sorted(frequent, key=lambda id_: (-counts[id_], id_))[:largest])
