"""Small bases of resemblances: four items of three attributes, two lists, one number."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from conf.observation_features import id_hash
from rl.policy import ObservationEncoder
from rl.policy.item_attributes import AttributeEncoding, ItemAttributes, encoded_items
from rl.policy.observation_encoder import ColumnEncoding
from rl.policy.resemblance import ResemblanceBasis
from tests.rl.policy.policies import make_vocabulary

KEYS = ("a", "b", "c", "d")
ATTRIBUTES: list[dict[str, Any]] = [
    {"x": 1.0, "y": 0.0, "z": 0.0},
    {"x": 0.9, "y": 0.1, "z": 0.0},
    {"x": 0.0, "y": 1.0, "z": 0.2},
    {"x": 0.0, "y": 0.3, "z": 1.0},
]


def encoder() -> ObservationEncoder:
    """One that observes the last two shown, the last three engaged, and the step."""
    encodings = tuple(AttributeEncoding(name, "number") for name in "xyz")
    items = ItemAttributes(encodings, tuple(map(id_hash, KEYS)), encoded_items(encodings, ATTRIBUTES))
    columns = (
        ColumnEncoding("recent_shown_items", "attributes", length=2),
        ColumnEncoding("recent_engaged_items", "attributes", length=3),
        ColumnEncoding("session_step", "count"),
    )
    return ObservationEncoder(columns, items=items)


def observations(shown: list[str], engaged: list[str], step: list[int]) -> npt.NDArray[np.float32]:
    """Encoded observations; lists as words, most recent first."""
    return encoder().encode(
        {
            "recent_shown_items": ids(shown, 2),
            "recent_engaged_items": ids(engaged, 3),
            "session_step": np.array(step, dtype=np.int64),
        }
    )


def ids(words: list[str], length: int) -> npt.NDArray[np.int64]:
    found = np.zeros((len(words), length), dtype=np.int64)
    for row, word in enumerate(words):
        found[row, : len(word)] = [id_hash(letter) for letter in word[:length]]
    return found


def basis(features: npt.NDArray[np.float32]) -> ResemblanceBasis:
    actions = encoder().action_attributes(make_vocabulary(*KEYS))
    assert actions is not None
    return ResemblanceBasis.of(encoder(), actions, features)
