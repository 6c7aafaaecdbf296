"""Policies whose reasons are known: networks that read two features and are blind to the others."""

from __future__ import annotations

import numpy as np

from conf.observation_features import id_hash
from rl.data.logged_episodes import BoolArray, FeatureArray, IntArray
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary
from rl.policy.network import DenseNetwork
from rl.policy.observation_encoder import ColumnEncoding

CATEGORIES = ("shoes", "hats", "coats")
READ = ("n_past_purchases", "recent_engaged_categories")
BLIND = ("session_step", "hour_of_day", "favorite_categories", "n_session_clicks", "n_past_clicks")


def planted_encoder() -> ObservationEncoder:
    """Counts, a cyclic feature and two lists over the same three categories."""
    return ObservationEncoder(
        columns=(
            ColumnEncoding("session_step", "count", mean=1.0, spread=0.6),
            ColumnEncoding("hour_of_day", "cyclic", period=24),
            ColumnEncoding("n_past_purchases", "count", mean=0.5, spread=0.5),
            ColumnEncoding("favorite_categories", "list", space="category", length=3, decay=0.6),
            ColumnEncoding("recent_engaged_categories", "list", space="category", length=3, decay=0.6, has_latest=True),
            ColumnEncoding("n_session_clicks", "count", mean=0.7, spread=0.5),
            ColumnEncoding("n_past_clicks", "count", mean=1.0, spread=0.6),
        ),
        spaces={"category": tuple(id_hash(name) for name in CATEGORIES)},
    )


def planted_policy(*, seed: int = 0, n_actions: int = 4, read: tuple[str, ...] = READ) -> StochasticPolicy:
    """A network of two layers whose weights from all features but `read` are zero."""
    encoder, generator = planted_encoder(), np.random.default_rng(seed)
    first = generator.normal(size=(24, encoder.n_features))
    first[:, [source not in read for source in encoder.sources]] = 0.0
    weights = (first, generator.normal(size=(n_actions, 24)))
    keys = tuple(f"item-{index}" for index in range(n_actions))
    return StochasticPolicy(
        name="planted-1",
        network=DenseNetwork(
            tuple(weight.astype(np.float32) for weight in weights),
            tuple(generator.normal(size=len(weight)).astype(np.float32) for weight in weights),
        ),
        encoder=encoder,
        vocabulary=Vocabulary(keys, tuple(id_hash(key) for key in keys), has_other=False),
        output_scale=2.0,
        temperature=0.5,
        exploration_floor=0.1,
        is_other_chosen=False,
        dataset_digest="digest",
    )


def planted_observations(n: int, *, seed: int = 0) -> dict[str, IntArray]:
    """Observations in which every feature varies, independently of the others."""
    generator = np.random.default_rng(seed)
    ids = np.array([0, *(id_hash(name) for name in CATEGORIES)])
    return {
        "session_step": generator.integers(0, 8, n),
        "hour_of_day": generator.integers(0, 24, n),
        "n_past_purchases": generator.integers(0, 4, n),
        "favorite_categories": _lists(generator, ids, n),
        "recent_engaged_categories": _lists(generator, ids, n),
        "n_session_clicks": generator.integers(0, 5, n),
        "n_past_clicks": generator.integers(0, 9, n),
    }


def planted_decisions(n: int, *, seed: int = 0) -> tuple[StochasticPolicy, FeatureArray, BoolArray]:
    """Policy, encoded observations and a mask in which one action of four is out of stock now and then."""
    policy = planted_policy(seed=seed)
    mask = np.ones((n, policy.n_actions), dtype=bool)
    mask[np.arange(0, n, 3), np.arange(0, n, 3) % policy.n_actions] = False
    return policy, policy.encode(planted_observations(n, seed=seed)), mask


def _lists(generator: np.random.Generator, ids: IntArray, n: int) -> IntArray:
    """Ids with the padding at the end, as lists are kept."""
    drawn = ids[generator.integers(0, len(ids), (n, 3))]
    return np.take_along_axis(drawn, np.argsort(drawn == 0, axis=1, kind="stable"), axis=1)
