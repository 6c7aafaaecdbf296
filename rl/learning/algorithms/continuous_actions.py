"""What a policy over continuous actions does: order quantities or discounts, in their own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rl.data.logged_episodes import FeatureArray
from rl.errors import TrainingError

ActionArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ActionRange:
    """Least and largest action in each dimension, in its own unit; learners see them as -1 and 1.

    Attributes:
        least: `(action_size,)`.
        largest: `(action_size,)`, above `least`.
    """

    least: tuple[float, ...]
    largest: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.least) != len(self.largest) or not all(
            low < high for low, high in zip(self.least, self.largest, strict=False)
        ):
            raise TrainingError(f"actions from {self.least} to {self.largest}; expected each least below its largest")

    @classmethod
    def of(cls, actions: ActionArray) -> ActionRange:
        """Return the range of logged actions, `(n, action_size)`; half a unit to either side where all are alike."""
        least, largest = actions.min(axis=0), actions.max(axis=0)
        margin = np.where(largest > least, 0.0, 0.5)
        return cls(tuple((least - margin).tolist()), tuple((largest + margin).tolist()))

    def scaled(self, actions: ActionArray) -> FeatureArray:
        """Return the actions between -1 and 1, `(n, action_size)`."""
        least, largest = np.array(self.least), np.array(self.largest)
        return np.asarray(2 * (actions - least) / (largest - least) - 1, dtype=np.float32)

    def in_units(self, scaled: FeatureArray) -> ActionArray:
        """Return the actions in their own units, `(n, action_size)`."""
        least, largest = np.array(self.least), np.array(self.largest)
        return np.asarray(least + (scaled.astype(np.float64) + 1) / 2 * (largest - least))


def actions_at(
    algorithm: Any, features: FeatureArray | Sequence[FeatureArray], actions: ActionRange, *, seed: int | None = None
) -> ActionArray:
    """Return one action for each observation, in its own units, `(n, action_size)`.

    Args:
        algorithm: d3rlpy's, of `CONTINUOUS_ALGORITHMS`, built.
        features: encoded observations, `(n, n_features)`; a sequence where an observation has several parts.
        actions: their range in training.
        seed: of a draw from the policy's distribution; None takes its mean. TD3+BC has a mean alone.
    """
    parts = [features] if isinstance(features, np.ndarray) else features
    device = algorithm.impl.device
    observations = [torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32)).to(device) for part in parts]
    devices = [device] if torch.device(device).type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        if seed is None:
            chosen = algorithm.impl.predict_best_action(observations)
        else:
            torch.manual_seed(seed)
            chosen = algorithm.impl.sample_action(observations)
    return actions.in_units(chosen.cpu().numpy())
