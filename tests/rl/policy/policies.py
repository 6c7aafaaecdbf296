"""Small policies with known weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from conf.observation_features import id_hash
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary
from rl.policy.network import DenseNetwork
from rl.policy.observation_encoder import ColumnEncoding


def make_vocabulary(*keys: str, has_other: bool = False) -> Vocabulary:
    return Vocabulary(keys, tuple(id_hash(key) for key in keys), has_other)


def make_policy(*keys: str, has_other: bool = False, seed: int = 0, **values: Any) -> StochasticPolicy:
    """A policy over the keys that reads `session_step` and the last two shown items; weights are random."""
    vocabulary = make_vocabulary(*(keys or ("a", "b", "c")), has_other=has_other)
    encoder = ObservationEncoder(
        columns=(
            ColumnEncoding("session_step", "count", mean=0.5, spread=2.0),
            ColumnEncoding("recent_shown_items", "list", space="item", length=2, decay=0.5, has_latest=True),
        ),
        spaces={"item": vocabulary.ids},
    )
    generator = np.random.default_rng(seed)
    shapes = [(8, encoder.n_features), (vocabulary.n_actions, 8)]
    network = DenseNetwork(
        weights=tuple(generator.normal(size=shape).astype(np.float32) for shape in shapes),
        biases=tuple(generator.normal(size=shape[0]).astype(np.float32) for shape in shapes),
    )
    content: dict[str, Any] = {
        "name": "test-1",
        "network": network,
        "encoder": encoder,
        "vocabulary": vocabulary,
        "output_scale": 1.0,
        "temperature": 1.0,
        "exploration_floor": 0.1,
        "is_other_chosen": False,
        "dataset_digest": "d",
    }
    return StochasticPolicy(**(content | values))


def make_observations(n: int = 4) -> dict[str, np.ndarray]:
    """Observations that differ from row to row."""
    shown = np.zeros((n, 2), dtype=np.int64)
    shown[1:, 0] = id_hash("a")
    shown[2:, 1] = id_hash("c")
    return {"session_step": np.arange(n), "recent_shown_items": shown}
