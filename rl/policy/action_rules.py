"""What a shop's own rules leave to choose from: masks before any choice, in NumPy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

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


@dataclass(frozen=True)
class Cap:
    """Actions of which a shopper gets no more than so many a business day, all of them together."""

    actions: frozenset[str]
    per_shopper_day: int


@dataclass(frozen=True)
class ActionRules:
    """The rules of a shop.

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

    def allowed(
        self,
        keys: Sequence[str],
        observation: Mapping[str, IntArray],
        *,
        position: int = 0,
        n_today: IntArray | None = None,
    ) -> BoolArray:
        """Return which actions may be chosen at each observation, `(n, n_keys)`.

        Args:
            keys: natural keys of the actions that are there.
            observation: scalar features by name, `(n,)`.
            position: place in the slate, from 0.
            n_today: how many actions under each cap the shopper got on that business day, `(n, n_caps)`; None for none.
        """
        n_rows = len(next(iter(observation.values())))
        allowed: BoolArray = np.tile(~_is_among(keys, self.blocked), (n_rows, 1))
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


def _is_among(keys: Sequence[str], actions: frozenset[str]) -> BoolArray:
    if not actions:
        return np.zeros(len(keys), dtype=np.bool_)
    return np.fromiter((key in actions for key in keys), dtype=np.bool_, count=len(keys))
