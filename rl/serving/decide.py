"""The choice of an action: what may be chosen, with which probability, and in which group the decision counts.

NumPy alone, without a clock, a store or a log: the same for a request, a batch and a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from rl.policy import StochasticPolicy
from rl.policy.action_probabilities import draw
from rl.policy.stochastic_policy import BoolArray, FeatureArray, FloatArray, IntArray

Group = Literal["champion", "incumbent", "control", "exploration", "fallback"]

FALLBACK_VERSION = "uniform-1"
"""Under which the fallback's decisions are logged: a uniform choice among what may be chosen."""

_PROPENSITY_DIGITS = 15  # of the events table


@dataclass(frozen=True)
class ChosenAction:
    """One decision.

    Attributes:
        action: natural key.
        propensity: its probability, as it is logged.
        group: why it was chosen so.
        policy_version: who chose.
    """

    action: str
    propensity: float
    group: Group
    policy_version: str


@dataclass(frozen=True)
class Offer:
    """Actions that are available together, and where a policy knows them.

    Attributes:
        keys: natural keys, each once, `(n_keys,)`.
        index: of each in the policy's vocabulary, -1 where it knows it not, `(n_keys,)`.
    """

    keys: tuple[str, ...]
    index: IntArray

    @cached_property
    def is_known(self) -> BoolArray:
        """Where the policy knows the action, `(n_keys,)`."""
        found: BoolArray = self.index >= 0
        return found

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Natural keys that the policy doesn't know."""
        return tuple(self.keys[place] for place in np.flatnonzero(~self.is_known).tolist())


def offer_of(keys: Sequence[str], places: dict[str, int]) -> Offer:
    """Return the actions as an offer; one that stands twice counts once.

    Args:
        keys: natural keys.
        places: of the policy's actions in its vocabulary; `(other)` is none of them.
    """
    distinct = tuple(dict.fromkeys(keys))
    index = np.fromiter((places.get(key, -1) for key in distinct), dtype=np.int64, count=len(distinct))
    return Offer(distinct, index)


@dataclass(frozen=True)
class Chances:
    """What a policy may choose at one observation.

    Attributes:
        probabilities: of its actions, `(n_actions,)`.
        n_permitted: actions that may be chosen.
    """

    probabilities: FloatArray
    n_permitted: int


def chances(
    policy: StochasticPolicy, features: FeatureArray, offers: Sequence[Offer], allowed: Sequence[BoolArray]
) -> list[Chances | None]:
    """Return what the policy may choose at each observation, computed for all of them at once.

    Args:
        policy: whose decisions.
        features: encoded observations, `(n, n_features)`.
        offers: the available actions at each.
        allowed: which of them the rules leave, `(n_keys,)` each.

    Returns:
        One for each observation; None where the policy knows no action that may be chosen.
    """
    mask = np.zeros((len(offers), policy.n_actions), dtype=np.bool_)
    for row, (offer, leaves) in enumerate(zip(offers, allowed, strict=True)):
        mask[row, offer.index[leaves & offer.is_known]] = True
    mask = policy.ruled(features, mask)
    n_permitted = mask.sum(axis=1)
    rows = np.flatnonzero(n_permitted)
    found: list[Chances | None] = [None] * len(offers)
    if len(rows):
        for row, probabilities in zip(rows.tolist(), policy.probabilities(features[rows], mask[rows]), strict=True):
            found[row] = Chances(probabilities, int(n_permitted[row]))
    return found


def drawn(policy: StochasticPolicy, one: Chances, generator: np.random.Generator) -> ChosenAction:
    """Return a decision drawn from the policy's chances.

    They are a mixture: the exploration floor's uniform choice, and the rest. Which of the two a drawn action came from
    is drawn afterwards, with the probability that it did.
    """
    index = int(draw(one.probabilities[None], generator)[0])
    propensity = float(one.probabilities[index])
    explored = policy.exploration_floor / one.n_permitted / propensity
    group: Group = "exploration" if generator.random() < explored else "champion"
    return ChosenAction(policy.vocabulary.names[index], as_logged(propensity), group, policy.version)


def choose(
    policy: StochasticPolicy, features: FeatureArray, offer: Offer, allowed: BoolArray, generator: np.random.Generator
) -> ChosenAction | None:
    """Return the policy's decision at one observation; None where it knows no action that may be chosen.

    Args:
        policy: whose decision.
        features: one encoded observation, `(1, n_features)`.
        offer: the available actions.
        allowed: which of them the rules leave, `(n_keys,)`.
        generator: of the draws.
    """
    (one,) = chances(policy, features, [offer], [allowed])
    return None if one is None else drawn(policy, one, generator)


def fall_back(offer: Offer, allowed: BoolArray, generator: np.random.Generator) -> ChosenAction | None:
    """Return a uniform choice among what may be chosen, known to a policy or not; None where nothing may be.

    Args:
        offer: the available actions.
        allowed: which of them the rules leave, `(n_keys,)`.
        generator: of the draw.
    """
    places = np.flatnonzero(allowed)
    if not len(places):
        return None
    action = offer.keys[int(places[generator.integers(len(places))])]
    return ChosenAction(action, as_logged(1 / len(places)), "fallback", FALLBACK_VERSION)


def as_logged(propensity: float) -> float:
    """Return the propensity as the events table holds it."""
    return round(propensity, _PROPENSITY_DIGITS)
