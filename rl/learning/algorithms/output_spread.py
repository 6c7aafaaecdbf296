"""How far values lie apart, so that a policy's temperatures mean the same in any unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from rl.data.logged_episodes import FeatureArray, FloatArray
from rl.learning.replay.replay_columns import TrainingData
from rl.policy.network import Network

# Rows that typical spreads of values are taken from.
SPREAD_ROWS = 20_000


def spread_in_training(network: Network, episodes: TrainingData) -> float:
    """Return the typical standard deviation of values between the available actions of a training row."""
    rows = np.linspace(0, episodes.n_transitions - 1, min(SPREAD_ROWS, episodes.n_transitions)).astype(np.int64)
    return typical_spread(network.forward(episodes.features[rows]), episodes.mask(rows))


def typical_spread(outputs: FeatureArray, mask: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """Return the root mean square, over rows, of the spread of outputs between available actions; 1 where it is 0."""
    values: FloatArray = outputs.astype(np.float64)
    n = mask.sum(axis=1, keepdims=True)
    mean = np.where(mask, values, 0.0).sum(axis=1, keepdims=True) / n
    variance = (np.where(mask, values - mean, 0.0) ** 2).sum(axis=1) / n[:, 0]
    spread = float(np.sqrt(variance.mean()))
    return spread if spread > 1e-9 else 1.0
