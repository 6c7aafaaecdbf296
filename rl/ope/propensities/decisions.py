"""Logged decisions as a model of the behavior policy learns from them, and what such a model gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes

MAX_CELLS = 20_000_000
"""Decisions times actions that a fit holds at once: 80 MB of scores in single precision."""


@dataclass(frozen=True)
class LoggedChoices:
    """Logged decisions to learn from.

    Attributes:
        features: encoded observations, `(n, n_features)`.
        mask: True where the action was available, `(n, n_actions)`.
        action: taken, `(n,)`.
        unit: shopper of each decision, `(n,)`.
    """

    features: FeatureArray
    mask: BoolArray
    action: IntArray
    unit: IntArray

    @property
    def n_decisions(self) -> int:
        return len(self.action)

    @property
    def n_actions(self) -> int:
        return int(self.mask.shape[1])

    def take(self, rows: IntArray) -> LoggedChoices:
        """Return the decisions of the given rows."""
        return LoggedChoices(self.features[rows], self.mask[rows], self.action[rows], self.unit[rows])


class FittedBehavior(Protocol):
    """A behavior policy as some model sees it."""

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the probabilities, `(n, n_actions)`: rows sum to 1, 0 where the mask is False."""
        ...


@dataclass(frozen=True)
class Standard:
    """Features brought to mean 0 and standard deviation 1; a constant feature stays 0.

    Attributes:
        center: `(n_features,)`.
        spread: `(n_features,)`.
    """

    center: FloatArray
    spread: FloatArray

    @classmethod
    def of(cls, features: FeatureArray) -> Standard:
        """Return the center and spread of the features."""
        exact = features.astype(np.float64)
        spread = exact.std(axis=0)
        return cls(exact.mean(axis=0), np.where(spread > 0, spread, 1.0))

    def apply(self, features: FeatureArray) -> FeatureArray:
        """Return the features on that scale, `(n, n_features)`."""
        return ((features - self.center) / self.spread).astype(np.float32)


@dataclass(frozen=True)
class MarginalBehavior:
    """The choice that looks at nobody: each action by how often it was taken when available.

    What a model must beat to be worth anything. A rate is (taken + 1) / (available + 2), so that an action never seen
    keeps a chance.

    Attributes:
        rates: `(n_actions,)`.
    """

    rates: FloatArray

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:  # noqa: ARG002 -- the protocol's
        """Return the rates, renormalised over the available actions, `(n, n_actions)`."""
        return renormalized(np.broadcast_to(self.rates, mask.shape), mask)


def fit_marginal(decisions: LoggedChoices) -> MarginalBehavior:
    """Return how often each action was taken when it was available."""
    taken = np.bincount(decisions.action, minlength=decisions.n_actions)
    return MarginalBehavior((taken + 1.0) / (decisions.mask.sum(axis=0) + 2.0))


def decisions_at(episodes: LoggedEpisodes, rows: IntArray, *, max_rows: int, seed: int) -> LoggedChoices:
    """Return the decisions of at most so many of the rows, drawn at random; fewer with very many actions."""
    most = min(max_rows, max(1, MAX_CELLS // max(1, episodes.n_actions)))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    return LoggedChoices(
        features=episodes.features[rows],
        mask=episodes.mask(rows),
        action=episodes.action[rows],
        unit=episodes.unit[episodes.episode[rows]],
    )


def renormalized(weights: FloatArray, mask: BoolArray) -> FloatArray:
    """Return the weights of available actions, divided by their sum; uniform where they are all 0, `(n, n_actions)`."""
    kept = np.where(mask, weights, 0.0)
    total = kept.sum(axis=1, keepdims=True)
    uniform = mask / mask.sum(axis=1, keepdims=True)
    return np.where(total > 0, kept / np.where(total > 0, total, 1.0), uniform)


def with_uniform_share(probabilities: FloatArray, mask: BoolArray, share: float) -> FloatArray:
    """Return the probabilities with a uniform share mixed in, so that no logged action gets one near 0."""
    uniform = mask / mask.sum(axis=1, keepdims=True)
    return np.asarray((1 - share) * probabilities + share * uniform, dtype=np.float64)
