"""What a shop's own rules leave to choose from: masks before any choice, in NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rl.policy.observation_encoder import ObservationEncoder

FeatureArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pin:
    """An action that is the only one at some positions, wherever it is available there.

    Attributes:
        action: natural key.
        positions: places in the slate, from 0.
    """

    action: str
    positions: frozenset[int]


@dataclass(frozen=True)
class Eligibility:
    """Actions that only shoppers may get whose feature lies within bounds.

    Attributes:
        actions: natural keys.
        feature: a scalar one of the observation.
        at_least: its least value; None for no bound, as for `at_most`.
        at_most: its greatest value.
    """

    actions: frozenset[str]
    feature: str
    at_least: int | None = None
    at_most: int | None = None

    def holds(self, observation: Mapping[str, IntArray]) -> BoolArray:
        """Return where the actions may be chosen, `(n,)`."""
        values = observation[self.feature]
        found = np.ones(len(values), dtype=np.bool_)
        if self.at_least is not None:
            found &= values >= self.at_least
        if self.at_most is not None:
            found &= values <= self.at_most
        return found

    def holds_encoded(self, encoder: ObservationEncoder, features: FeatureArray) -> BoolArray:
        """Return the same as `holds`, of encoded observations, `(n,)`.

        Args:
            encoder: that made the features; the feature is one of its counts.
            features: `(n, n_features)`.
        """
        found = np.ones(len(features), dtype=np.bool_)
        if self.at_least is not None:
            found &= encoder.is_at_least(features, self.feature, self.at_least)
        if self.at_most is not None:
            found &= ~encoder.is_at_least(features, self.feature, self.at_most + 1)
        return found


@dataclass(frozen=True)
class Cap:
    """Actions of which a shopper gets no more than so many a business day, all of them together."""

    actions: frozenset[str]
    per_shopper_day: int


@dataclass(frozen=True)
class ActionRules:
    """The rules of a shop; a trained policy carries those that it was learned under.

    What is blocked, and who is eligible, is read off observations, so it holds wherever a policy is asked: in training,
    evaluation and service. Pins and caps need the place in a slate and the shopper's day, which only a service knows.

    Attributes:
        blocked: natural keys of actions that are never chosen.
        pins: the first one that is available at a position is the only action there.
        eligibility: all of them must hold.
        caps: all of them must hold.
    """

    blocked: frozenset[str] = frozenset()
    pins: tuple[Pin, ...] = ()
    eligibility: tuple[Eligibility, ...] = ()
    caps: tuple[Cap, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Whether nothing is taken away."""
        return not (self.blocked or self.pins or self.eligibility or self.caps)

    def joined(self, others: ActionRules) -> ActionRules:
        """Return these and the others together, each once; of two pins at one position these come first."""
        return ActionRules(
            blocked=self.blocked | others.blocked,
            pins=tuple(dict.fromkeys(self.pins + others.pins)),
            eligibility=tuple(dict.fromkeys(self.eligibility + others.eligibility)),
            caps=tuple(dict.fromkeys(self.caps + others.caps)),
        )

    def left_of(
        self, mask: BoolArray, keys: Sequence[str], encoder: ObservationEncoder, features: FeatureArray
    ) -> BoolArray:
        """Return the mask less what the rules take away at encoded observations, `(n, n_keys)`.

        Args:
            mask: available actions, `(n, n_keys)`.
            keys: their natural keys; `(other)` is none that a rule names.
            encoder: that made the features.
            features: `(n, n_features)`.

        Raises:
            PolicyError: eligibility is by a feature that is no count of the encoder.
        """
        if not (self.blocked or self.eligibility):
            return mask
        left: BoolArray = mask & ~_is_among(keys, self.blocked)
        for rule in self.eligibility:
            left &= rule.holds_encoded(encoder, features)[:, None] | ~_is_among(keys, rule.actions)
        return left

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON, sets sorted."""
        return {
            "blocked": sorted(self.blocked),
            "pins": [{"action": pin.action, "positions": sorted(pin.positions)} for pin in self.pins],
            "eligibility": [asdict(rule) | {"actions": sorted(rule.actions)} for rule in self.eligibility],
            "caps": [asdict(cap) | {"actions": sorted(cap.actions)} for cap in self.caps],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> ActionRules:
        """Return what `to_json` wrote."""
        return cls(
            blocked=frozenset(content["blocked"]),
            pins=tuple(Pin(pin["action"], frozenset(pin["positions"])) for pin in content["pins"]),
            eligibility=tuple(
                Eligibility(**{**rule, "actions": frozenset(rule["actions"])}) for rule in content["eligibility"]
            ),
            caps=tuple(Cap(frozenset(cap["actions"]), cap["per_shopper_day"]) for cap in content["caps"]),
        )

    def allowed(
        self,
        keys: Sequence[str],
        observation: Mapping[str, IntArray],
        *,
        position: int = 0,
        taken: frozenset[str] = frozenset(),
        n_today: IntArray | None = None,
    ) -> BoolArray:
        """Return which actions may be chosen at each observation, `(n, n_keys)`.

        Args:
            keys: natural keys of the actions that are there.
            observation: scalar features by name, `(n,)`.
            position: place in the slate, from 0.
            taken: natural keys that stand in the slate already, and don't stand there twice.
            n_today: how many actions under each cap the shopper got on that business day, `(n, n_caps)`; None for none.
        """
        n_rows = len(next(iter(observation.values())))
        allowed: BoolArray = np.tile(~_is_among(keys, self.blocked | taken), (n_rows, 1))
        for rule in self.eligibility:
            allowed &= rule.holds(observation)[:, None] | ~_is_among(keys, rule.actions)
        for number, cap in enumerate(self.caps):
            got = np.zeros(n_rows, dtype=np.int64) if n_today is None else n_today[:, number]
            allowed &= (got < cap.per_shopper_day)[:, None] | ~_is_among(keys, cap.actions)
        return self._pinned(keys, allowed, position)

    def _pinned(self, keys: Sequence[str], allowed: BoolArray, position: int) -> BoolArray:
        """Return the allowed actions without those beside a pinned one."""
        is_open = np.ones((len(allowed), 1), dtype=np.bool_)
        for pin in self.pins:
            if position in pin.positions:
                pinned = allowed & _is_among(keys, frozenset({pin.action}))
                is_there = is_open & pinned.any(axis=1, keepdims=True)
                allowed = np.asarray(np.where(is_there, pinned, allowed))
                is_open &= ~is_there
        return allowed


NO_RULES = ActionRules()


def _is_among(keys: Sequence[str], actions: frozenset[str]) -> BoolArray:
    if not actions:
        return np.zeros(len(keys), dtype=np.bool_)
    return np.fromiter((key in actions for key in keys), dtype=np.bool_, count=len(keys))
