"""What is known of items, as numbers a network can take: by id, with the encoding that was fitted in training."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError

FeatureArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
RawValue = str | float | None

# Standardised values beyond this many spreads say no more than "very large".
LARGEST_STANDARDISED = 5.0
_STORED = np.dtype("<f4")


@dataclass(frozen=True)
class AttributeEncoding:
    """How one attribute becomes numbers.

    Attributes:
        name: the attribute.
        kind: `number` (standardised), `amount` (log(1 + x), standardised) or `label` (one-hot over `labels` and, in one
            more column, other words).
        mean: of numbers, or of the logarithms, among the items it was fitted on.
        spread: their standard deviation.
        labels: words with a place of their own.
    """

    name: str
    kind: Literal["number", "amount", "label"]
    mean: float = 0.0
    spread: float = 1.0
    labels: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Numbers that it becomes: of a label its places, of anything else its value and a flag where it is missing."""
        return len(self.labels) + 1 if self.kind == "label" else 2

    def encode(self, values: Sequence[RawValue]) -> FeatureArray:
        """Return the values as numbers, `(n, width)`; a missing label is all zeros.

        Raises:
            PolicyError: a number that is none, or an amount below 0.
        """
        encoded = np.zeros((len(values), self.width), dtype=np.float32)
        if self.kind == "label":
            places = {label: place for place, label in enumerate(self.labels)}
            for row, value in enumerate(values):
                if value is not None:
                    encoded[row, places.get(str(value), len(self.labels))] = 1.0
            return encoded
        numbers = self.numbers(values)
        is_missing = np.isnan(numbers)
        scaled = np.clip((numbers - self.mean) / self.spread, -LARGEST_STANDARDISED, LARGEST_STANDARDISED)
        encoded[:, 0], encoded[:, 1] = np.where(is_missing, 0.0, scaled), is_missing
        return encoded

    def numbers(self, values: Sequence[RawValue]) -> npt.NDArray[np.float64]:
        """Return numbers as they stand and amounts as logarithms, NaN where they are missing, `(n,)`.

        Raises:
            PolicyError: a number that is none, or an amount below 0.
        """
        found = np.array([math.nan if value is None else _number(self.name, value) for value in values])
        if self.kind == "number":
            return found
        if (wrong := found[found < 0]).size:
            raise PolicyError(
                f"attribute {self.name}: an amount of {wrong[0]:g}, expected 0 or more; read it as number"
            )
        return np.asarray(np.log1p(found))


@dataclass(frozen=True, eq=False)
class ItemAttributes:
    """The attributes of items, encoded.

    Attributes:
        encodings: of each attribute, in the order of their numbers.
        ids: id hashes of the items, each once.
        values: `(n_items, sum of the encodings' widths)`.
    """

    encodings: tuple[AttributeEncoding, ...]
    ids: tuple[int, ...]
    values: FeatureArray

    def __post_init__(self) -> None:
        expected = (len(self.ids), self.width - 1)
        if self.values.shape != expected or len(set(self.ids)) != len(self.ids):
            raise PolicyError(f"attributes of {len(self.ids)} items: {self.values.shape} numbers, expected {expected}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ItemAttributes) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.encodings, self.ids))

    @property
    def width(self) -> int:
        """Numbers of an item: those of its attributes, and one that says whether anything is known of it."""
        return sum(encoding.width for encoding in self.encodings) + 1

    @property
    def names(self) -> list[str]:
        """Name of each number of an item, in order."""
        found = []
        for one in self.encodings:
            found += [f"{one.name} {label}" for label in (*one.labels, "others")] if one.kind == "label" else []
            found += [] if one.kind == "label" else [one.name, f"{one.name} missing"]
        return [*found, "is known"]

    def rows_of(self, ids: IntArray) -> FeatureArray:
        """Return the numbers of items, `(*ids.shape, width)`; zeros where nothing is known of one."""
        rows = np.zeros((*ids.shape, self.width), dtype=np.float32)
        known, order = self._ordered
        if not len(known):
            return rows
        place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        is_known = known[place] == ids
        rows[is_known, :-1] = self.values[order[place[is_known]]]
        rows[is_known, -1] = 1.0
        return rows

    def with_items(self, raw: Mapping[int, Mapping[str, RawValue]]) -> ItemAttributes:
        """Return these attributes and, in the same encoding, those of items that aren't among them.

        Args:
            raw: attributes by name, by id hash of the item; a name that isn't there is missing.

        Raises:
            PolicyError: a number that is none, or an amount below 0.
        """
        new = [id_ for id_ in raw if id_ not in set(self.ids)]
        if not new:
            return self
        values = encoded_items(self.encodings, [raw[id_] for id_ in new])
        return ItemAttributes(self.encodings, (*self.ids, *new), np.concatenate([self.values, values]))

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; numbers as base64 of little-endian `float32`, so that they stay exact and short."""
        content = np.ascontiguousarray(self.values, dtype=_STORED).tobytes()
        return {
            "encodings": [asdict(encoding) | {"labels": list(encoding.labels)} for encoding in self.encodings],
            "ids": [str(id_) for id_ in self.ids],
            "values": b64encode(content).decode("ascii"),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ItemAttributes:
        """Return what `to_json` wrote.

        Raises:
            PolicyError: numbers that don't fit the items.
        """
        encodings = tuple(
            AttributeEncoding(**{**encoding, "labels": tuple(encoding["labels"])}) for encoding in content["encodings"]
        )
        ids = tuple(int(id_) for id_ in content["ids"])
        numbers = np.frombuffer(b64decode(content["values"]), dtype=_STORED).astype(np.float32)
        width = sum(encoding.width for encoding in encodings)
        if numbers.size != len(ids) * width:
            raise PolicyError(f"attributes of {len(ids)} items: {numbers.size} numbers, expected {len(ids) * width}")
        return cls(encodings, ids, numbers.reshape(len(ids), width))

    @cached_property
    def _ordered(self) -> tuple[IntArray, IntArray]:
        ids = np.array(self.ids, dtype=np.int64)
        order = np.argsort(ids)
        return ids[order], order


def encoded_items(encodings: Sequence[AttributeEncoding], raw: Sequence[Mapping[str, RawValue]]) -> FeatureArray:
    """Return the numbers of items, `(n_items, sum of widths)`.

    Raises:
        PolicyError: a number that is none, or an amount below 0.
    """
    parts = [encoding.encode([item.get(encoding.name) for item in raw]) for encoding in encodings]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(raw), 0), dtype=np.float32)


def _number(name: str, value: str | float) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise PolicyError(
            f"attribute {name}: got {str(value)[:40]!r}, expected a number; read it as label, or deliver numbers"
        ) from error
    if not math.isfinite(number):
        raise PolicyError(f"attribute {name}: got {value!r}, expected a finite number")
    return number
