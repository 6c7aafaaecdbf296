"""Masked softmax with a temperature and an exploration floor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def masked_softmax(logits: FloatArray, mask: BoolArray, temperature: float) -> FloatArray:
    """Return exp(logit / temperature), normalised over the actions where the mask is True, 0 elsewhere.

    Args:
        logits: `(n, n_actions)`.
        mask: `(n, n_actions)`; every row has at least one True.
        temperature: above 0; small is greedy.
    """
    scaled = np.where(mask, logits / temperature, -np.inf)
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def with_exploration(probabilities: FloatArray, mask: BoolArray, floor: float) -> FloatArray:
    """Return (1 - floor) times the probabilities plus floor times the uniform choice over available actions."""
    return np.asarray((1 - floor) * probabilities + floor * mask / mask.sum(axis=1, keepdims=True))


def draw(probabilities: FloatArray, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return one index per row, drawn with the row's probabilities; never one of probability 0, `(n,)`."""
    cumulative = probabilities.cumsum(axis=1)
    # random() is below 1, and the last sum of a row may miss 1 by rounding: scaling by it keeps the draw inside.
    level = generator.random(len(probabilities)) * cumulative[:, -1]
    return np.asarray((cumulative <= level[:, None]).sum(axis=1), dtype=np.int64)


def refuse_empty(mask: BoolArray, what: str) -> None:
    """Raise if a row has no available action.

    Raises:
        PolicyError: names the first rows that have none.
    """
    if (empty := np.flatnonzero(~mask.any(axis=1))).size:
        raise PolicyError(
            f"{empty.size} of {len(mask)} rows have no {what}, such as row {empty[0]}; "
            "expected at least one available action that the policy knows"
        )
