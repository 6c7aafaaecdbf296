"""Observations as numbers a network can take: exact features in, `float32` out, with parameters fitted in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError
from rl.policy.item_attributes import LARGEST_STANDARDISED, ItemAttributes
from rl.policy.token_layout import N_RESERVED, PADDING, UNKNOWN, TokenLayout, TokenList
from rl.policy.vocabulary import Vocabulary

IntArray = npt.NDArray[np.int64]
FeatureArray = npt.NDArray[np.float32]

FORMAT = 1


@dataclass(frozen=True)
class ColumnEncoding:
    """How one feature becomes numbers.

    Attributes:
        name: the feature.
        kind: `count` (log(1 + x), standardised; and, where `has_missing`, a flag for values below 0), `codes` (one-hot
            over a space of codes and, in one more column, others), `cyclic` (sine and cosine over `period`), `list`
            (recency-weighted multi-hot over a space of ids, the weight outside of it and, where `has_latest`, the first
            entry one-hot), `attributes` (what is known of the item that each entry of a list is), `tokens` (row of each
            entry of a list in the table of a space of ids; dense networks leave these columns unread, so they come
            last).
        mean: of log(1 + x) in training.
        spread: its standard deviation.
        has_missing: values below 0 stand for "none".
        period: of a cyclic feature.
        space: name of the id space of a list, of tokens or of codes.
        length: entries read of a list.
        decay: weight of an entry relative to the one before it.
        has_latest: the first entry matters by itself.
    """

    name: str
    kind: Literal["count", "codes", "cyclic", "list", "attributes", "tokens"]
    mean: float = 0.0
    spread: float = 1.0
    has_missing: bool = False
    period: int = 0
    space: str = ""
    length: int = 0
    decay: float = 0.0
    has_latest: bool = False


@dataclass(frozen=True)
class ObservationEncoder:
    """Encodings of observations.

    Attributes:
        columns: in their order.
        spaces: id spaces of list features (ids with a place of their own), by name.
        items: what is known of items, those that are actions among them; None where they are ids alone.
    """

    columns: tuple[ColumnEncoding, ...]
    spaces: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    items: ItemAttributes | None = None

    def __post_init__(self) -> None:
        is_token = [column.kind == "tokens" for column in self.columns]
        if is_token != sorted(is_token):
            raise PolicyError("encoder: a column stands after tokens; expected tokens last, where dense networks end")
        if self.items is None and any(column.kind == "attributes" for column in self.columns):
            raise PolicyError("encoder: columns are attributes of items, and none are known; run prepare again")

    @property
    def n_features(self) -> int:
        return sum(self.width_of(column) for column in self.columns)

    @property
    def feature_names(self) -> list[str]:
        """Name of each encoded feature, in order."""
        return [name for column in self.columns for name in self._names(column)]

    @property
    def sources(self) -> list[str]:
        """Observation feature that each encoded feature is made from, in order."""
        return [column.name for column in self.columns for _ in range(self.width_of(column))]

    def encode(self, observation: Mapping[str, IntArray]) -> FeatureArray:
        """Return the observations encoded, `(n, n_features)`.

        Args:
            observation: feature name -> `(n,)`, or `(n, any length)` for lists, padded with 0; further columns are left
                unread.

        Raises:
            PolicyError: features are missing or have another shape.
        """
        n = self._checked_length(observation)
        encoded = np.zeros((n, self.n_features), dtype=np.float32)
        start = 0
        for column in self.columns:
            block = encoded[:, start : start + self.width_of(column)]
            values = np.asarray(observation[column.name])
            if column.kind == "count":
                _encode_count(values, column, block)
            elif column.kind == "codes":
                block[np.arange(n), self._index_in_space(values, column.space)] = 1.0
            elif column.kind == "cyclic":
                angle = (2 * np.pi / column.period) * values
                block[:, 0], block[:, 1] = np.sin(angle), np.cos(angle)
            elif column.kind == "list":
                self._encode_list(values, column, block)
            elif column.kind == "attributes":
                self._encode_attributes(values, column, block)
            else:
                self._encode_tokens(values, column, block)
            start += block.shape[1]
        return encoded

    def is_at_least(self, features: FeatureArray, name: str, least: int) -> npt.NDArray[np.bool_]:
        """Return where a count was at least so much, as its encoding says, `(n,)`.

        Args:
            features: encoded observations, `(n, n_features)`.
            name: of a feature that is encoded as a count.
            least: a whole number; from 0 on, a value that is missing (below 0) is less.

        Raises:
            PolicyError: no such count, or one whose encoding doesn't tell the number from the one below it.
        """
        column = next((one for one in self.columns if one.name == name and one.kind == "count"), None)
        if column is None:
            counts = ", ".join(one.name for one in self.columns if one.kind == "count") or "none"
            raise PolicyError(f"{name} is no count of the encoded observation; its counts are {counts}")
        if least < 0:
            return np.ones(len(features), dtype=np.bool_)
        place = self.sources.index(name)
        is_there = features[:, place + 1] == 0 if column.has_missing else np.ones(len(features), dtype=np.bool_)
        if least == 0:
            return np.asarray(is_there)
        pair = np.zeros((2, 1 + column.has_missing), dtype=np.float32)
        _encode_count(np.array([least - 1, least], dtype=np.int64), column, pair)
        below, reached = pair[:, 0].tolist()
        if not below < reached:
            raise PolicyError(
                f"{name}: {least - 1} and {least} are encoded alike; train again, or write a smaller number"
            )
        return np.asarray((features[:, place] > np.float32((below + reached) / 2)) & is_there)

    @property
    def n_dense(self) -> int:
        """Number of columns that aren't tokens; they come first."""
        return sum(self.width_of(column) for column in self.columns if column.kind != "tokens")

    def token_layout(self, vocabulary: Vocabulary) -> TokenLayout | None:
        """Return which columns are tokens of which tables, and which table begins with the actions; None without."""
        found = [column for column in self.columns if column.kind == "tokens"]
        if not found:
            return None
        spaces = list(dict.fromkeys(column.space for column in found))
        starts = self.n_dense + np.cumsum([0, *(column.length for column in found)])
        tied = [i for i, space in enumerate(spaces) if self.spaces[space][: len(vocabulary.ids)] == vocabulary.ids]
        return TokenLayout(
            n_dense=self.n_dense,
            lists=tuple(
                TokenList(spaces.index(column.space), int(start), column.length)
                for column, start in zip(found, starts, strict=False)
            ),
            table_sizes=tuple(len(self.spaces[space]) + N_RESERVED for space in spaces),
            action_table=tied[0] if tied and vocabulary.ids else None,
            has_other=vocabulary.has_other,
        )

    def action_attributes(self, vocabulary: Vocabulary) -> FeatureArray | None:
        """Return what is known of each action, `(n_actions, n_attributes)`, zeros of `(other)`; None of no items."""
        if self.items is None:
            return None
        known = self.items.rows_of(np.array(vocabulary.ids, dtype=np.int64))
        return np.concatenate([known, np.zeros((int(vocabulary.has_other), self.items.width), dtype=np.float32)])

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; ids as text, since other readers of JSON round 64-bit integers."""
        return {
            "format": FORMAT,
            "columns": [asdict(column) for column in self.columns],
            "spaces": {name: [str(id_) for id_ in ids] for name, ids in self.spaces.items()},
            # Encoders without any are written as before there were attributes: policies keep their versions.
            **({} if self.items is None else {"items": self.items.to_json()}),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> ObservationEncoder:
        """Return the encoder that `to_json` wrote.

        Raises:
            PolicyError: the content is of another format.
        """
        if content.get("format") != FORMAT:
            raise PolicyError(f"encoder: format {content.get('format')!r}, expected {FORMAT}; run prepare again")
        return cls(
            columns=tuple(ColumnEncoding(**column) for column in content["columns"]),
            spaces={name: tuple(int(id_) for id_ in ids) for name, ids in content["spaces"].items()},
            items=ItemAttributes.from_json(content["items"]) if "items" in content else None,
        )

    def _encode_list(self, values: IntArray, column: ColumnEncoding, block: FeatureArray) -> None:
        """Fill the block: one column per id of the space, one for all other ids, and again for the first entry."""
        width = len(self.spaces[column.space]) + 1
        index = self._index_in_space(values[:, : column.length], column.space)
        for place in range(index.shape[1]):
            rows = np.flatnonzero(values[:, place])
            block[rows, index[rows, place]] += np.float32(column.decay**place)
            if place == 0 and column.has_latest:
                block[rows, width + index[rows, 0]] = 1.0

    def _encode_attributes(self, values: IntArray, column: ColumnEncoding, block: FeatureArray) -> None:
        """Fill the block: the attributes of each entry, most recent first; zeros where there is no entry."""
        ids = values[:, : column.length]
        known = self._known_items.rows_of(ids)
        block[:, : known.shape[1] * known.shape[2]] = known.reshape(len(ids), -1)

    @property
    def _known_items(self) -> ItemAttributes:
        if self.items is None:
            raise PolicyError("encoder: nothing is known of items; run prepare again")
        return self.items

    def _encode_tokens(self, values: IntArray, column: ColumnEncoding, block: FeatureArray) -> None:
        """Fill the block: one column per entry, most recent first; missing entries are padding."""
        ids = values[:, : column.length]
        index = self._index_in_space(ids, column.space)
        known = np.where(index < len(self.spaces[column.space]), index + N_RESERVED, UNKNOWN)
        block[:, : ids.shape[1]] = np.where(ids == 0, PADDING, known)

    def _index_in_space(self, ids: IntArray, space: str) -> IntArray:
        known, order = self._ordered_spaces[space]
        if not len(known):
            return np.zeros(ids.shape, dtype=np.int64)
        place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return np.where(known[place] == ids, order[place], len(known)).astype(np.int64)

    @cached_property
    def _ordered_spaces(self) -> dict[str, tuple[IntArray, IntArray]]:
        """The ids of each space ascending, and the place of each in the space: sorted once, asked at every decision."""
        arrays = {name: np.array(ids, dtype=np.int64) for name, ids in self.spaces.items()}
        orders = {name: np.argsort(ids) for name, ids in arrays.items()}
        return {name: (ids[orders[name]], orders[name]) for name, ids in arrays.items()}

    def width_of(self, column: ColumnEncoding) -> int:
        if column.kind == "count":
            return 1 + column.has_missing
        if column.kind == "codes":
            return len(self.spaces[column.space]) + 1
        if column.kind == "cyclic":
            return 2
        if column.kind == "tokens":
            return column.length
        if column.kind == "attributes":
            return column.length * self._known_items.width
        return (len(self.spaces[column.space]) + 1) * (1 + column.has_latest)

    def _names(self, column: ColumnEncoding) -> list[str]:
        if column.kind == "count":
            return [column.name, f"{column.name} missing"] if column.has_missing else [column.name]
        if column.kind == "cyclic":
            return [f"{column.name} sine", f"{column.name} cosine"]
        if column.kind == "tokens":
            return [f"{column.name} entry {place}" for place in range(column.length)]
        if column.kind == "attributes":
            names = self._known_items.names
            return [f"{column.name} entry {place} {name}" for place in range(column.length) for name in names]
        entries = [*(str(id_) for id_ in self.spaces[column.space]), "others"]
        if column.kind == "codes":
            return [f"{column.name} {entry}" for entry in entries]
        parts = ("recent", "latest") if column.has_latest else ("recent",)
        return [f"{column.name} {part} {entry}" for part in parts for entry in entries]

    def _checked_length(self, observation: Mapping[str, IntArray]) -> int:
        problems, lengths = [], set()
        for column in self.columns:
            if column.name not in observation:
                problems.append(f"{column.name} is missing")
                continue
            values = np.asarray(observation[column.name])
            lengths.add(len(values) if values.ndim else 0)
            expected = 2 if column.kind in ("list", "attributes", "tokens") else 1
            if values.ndim != expected or values.dtype.kind not in "iu":
                problems.append(
                    f"{column.name} is {values.ndim}-dimensional {values.dtype}, "
                    f"expected {expected}-dimensional integers"
                )
        if len(lengths) > 1:
            problems.append(f"features have different numbers of rows: {sorted(lengths)}")
        if problems:
            raise PolicyError("observations don't fit the policy: " + "; ".join(problems))
        return lengths.pop() if lengths else 0


def _encode_count(values: IntArray, column: ColumnEncoding, block: FeatureArray) -> None:
    is_missing = values < 0
    scaled = (np.log1p(np.maximum(values, 0)) - column.mean) / column.spread
    block[:, 0] = np.where(is_missing, 0.0, np.clip(scaled, -LARGEST_STANDARDISED, LARGEST_STANDARDISED))
    if column.has_missing:
        block[:, 1] = is_missing
