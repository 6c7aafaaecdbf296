"""A log of millions of steps, made in parts so that making it leaves little behind."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes

N_ACTIONS, N_FEATURES, N_SETS = 50, 8, 200
MEAN_LENGTH, LONGEST = 5, 20
EPISODES_PER_SHOPPER = 2
_CUT_SHARE = 0.1
_PART = 100_000


@dataclass(frozen=True)
class SoftmaxPolicy:
    """Probabilities by a softmax of linear scores over the available actions.

    Attributes:
        scores: `(n_features, n_actions)`.
        version: name of the policy.
    """

    scores: FeatureArray
    version: str

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        weights = np.where(mask, np.exp(features @ self.scores), 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        return np.asarray(weights, dtype=np.float64)


def policies() -> tuple[SoftmaxPolicy, SoftmaxPolicy]:
    """The policy that makes the log, and one that departs from it a little."""
    rng = np.random.default_rng(1)
    scores, departure = rng.normal(size=(2, N_FEATURES, N_ACTIONS)).astype(np.float32)
    return SoftmaxPolicy(0.3 * scores, "behavior"), SoftmaxPolicy(0.3 * scores + 0.1 * departure, "evaluation")


def memory_log(n_rows: int, *, seed: int) -> LoggedEpisodes:
    """Episodes of 1 to 20 steps, 5 on average, a tenth of them cut, of shoppers who come twice on average."""
    rng = np.random.default_rng(seed)
    offsets = _offsets(rng, n_rows)
    n_episodes = len(offsets) - 1
    is_last = np.zeros(n_rows, dtype=bool)
    is_last[offsets[1:] - 1] = True
    is_cut = is_last & (rng.random(n_rows, dtype=np.float32) < _CUT_SHARE)
    features = rng.standard_normal((n_rows, N_FEATURES), dtype=np.float32)
    availability = rng.random((N_SETS, N_ACTIONS)) < 0.8
    availability[:, 0] = True
    mask_index = rng.integers(0, N_SETS, size=n_rows)
    action, propensity = _decisions(rng, features, availability, mask_index)
    return LoggedEpisodes(
        features=features,
        next_features=np.roll(features, -1, axis=0),
        action=action,
        reward=np.where(rng.random(n_rows) < 0.05, rng.exponential(20.0, size=n_rows), 0.0),
        terminal=is_last & ~is_cut,
        timeout=is_cut,
        propensity=propensity,
        availability=availability,
        mask_index=mask_index,
        next_mask_index=np.roll(mask_index, -1),
        offsets=offsets,
        unit=rng.integers(0, max(2, n_episodes // EPISODES_PER_SHOPPER), size=n_episodes),
        start_time=np.arange(n_episodes, dtype=np.int64),
        elapsed_microseconds=np.full(n_rows, 60_000_000, dtype=np.int64),
        policy_version=np.zeros(n_rows, dtype=np.int64),
    )


def data_bytes(log: LoggedEpisodes) -> int:
    """Of all arrays."""
    arrays = (getattr(log, entry.name) for entry in fields(log))
    return sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


def _offsets(rng: np.random.Generator, n_rows: int) -> IntArray:
    lengths = np.minimum(rng.geometric(1 / MEAN_LENGTH, size=n_rows // MEAN_LENGTH * 2 + 10), LONGEST)
    ends = np.cumsum(lengths)
    inside = ends[ends < n_rows]
    return np.concatenate([[0], inside, [n_rows]]).astype(np.int64)


def _decisions(
    rng: np.random.Generator, features: FeatureArray, availability: BoolArray, mask_index: IntArray
) -> tuple[IntArray, FloatArray]:
    """Actions of the behavior policy and their probabilities, `(n,)` each."""
    n, behavior = len(features), policies()[0]
    action, propensity = np.empty(n, dtype=np.int64), np.empty(n)
    for start in range(0, n, _PART):
        rows = slice(start, min(start + _PART, n))
        mask = availability[mask_index[rows]]
        probabilities = behavior.probabilities(features[rows], mask)
        gumbel = rng.gumbel(size=probabilities.shape)
        with np.errstate(divide="ignore"):
            action[rows] = (np.log(probabilities) + gumbel).argmax(axis=1)
        propensity[rows] = probabilities[np.arange(len(mask)), action[rows]]
    return action, propensity
