"""Policies that a team would have without learning: functions of what the log shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError
from rl.shops.promotion.lockstep_weeks import Probabilities
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.visible_history import NEVER_SEEN, Columns


def fixed_policies(settings: PromotionSettings) -> dict[str, Probabilities]:
    """Return the named policies: the behavior policy, nobody, each offer to everybody, random, and an RFM rule."""
    everybody = {f"everybody_{offer.key}": everybody_policy(place + 1) for place, offer in enumerate(settings.offers)}
    return {
        "behavior": logging_policy(settings),
        "nobody": nobody_policy(),
        **everybody,
        "random": random_policy(),
        "rfm": rfm_policy(settings),
    }


def nobody_policy() -> Probabilities:
    """Return the policy that sends nothing."""
    return _sent(lambda observation: np.zeros(len(observation["week"]), dtype=np.int64))


def everybody_policy(action: int) -> Probabilities:
    """Return the policy that sends one offer to everybody it may be sent to."""
    return _sent(lambda observation: np.full(len(observation["week"]), action, dtype=np.int64))


def random_policy() -> Probabilities:
    """Return the policy that chooses every allowed action alike."""

    def probabilities(_: Columns, mask: BoolArray) -> FloatArray:
        return np.asarray(mask / mask.sum(axis=1, keepdims=True))

    return probabilities


def rfm_policy(
    settings: PromotionSettings, *, offer: str | None = None, recency: tuple[int, int] = (3, 8), rest_weeks: int = 3
) -> Probabilities:
    """Return a rule of recency, frequency and spend, as marketing teams write them.

    It sends an offer to those who bought before, haven't for some weeks, spent something in the quarter and had no
    offer lately.

    Args:
        settings: the shop.
        offer: natural key of what is sent; left out, the shop's first offer with a discount.
        recency: least and most whole weeks since the latest purchase.
        rest_weeks: weeks without an offer before the next.

    Raises:
        ShopError: there is no such offer.
    """
    action = _action_of(settings, offer)
    low, high = recency

    def chosen(observation: Columns) -> IntArray:
        since, offered = observation["weeks_since_order"], observation["weeks_since_offer"]
        is_due = (since >= low) & (since <= high) & (observation["spend_91"] > 0)
        is_rested = (offered == NEVER_SEEN) | (offered >= rest_weeks)
        return np.where(is_due & is_rested, action, 0)

    return _sent(chosen)


def over_keys(settings: PromotionSettings, probabilities: Probabilities, action_keys: list[str]) -> Probabilities:
    """Return a policy over the shop's actions, from one over natural keys in another order or number.

    Keys that the shop doesn't send are never allowed.

    Raises:
        ShopError: (when played) the policy gives such a key probability, or none of its keys is allowed somewhere.
    """
    places = {key: place for place, key in enumerate(settings.action_keys)}
    action = np.array([places.get(key, -1) for key in action_keys], dtype=np.int64)
    is_sent = action >= 0

    def over_actions(observation: Columns, mask: BoolArray) -> FloatArray:
        key_mask = mask[:, action] & is_sent
        if not key_mask.any(axis=1).all():
            raise ShopError(f"none of the policy's actions ({', '.join(action_keys)}) is allowed at some decision")
        chances = probabilities(observation, key_mask)
        if chances.shape != key_mask.shape:
            raise ShopError(f"the policy returned shape {chances.shape}, expected {key_mask.shape}")
        if (chances[:, ~is_sent] != 0).any():
            raise ShopError("the policy gives probability to actions that the shop doesn't send")
        found = np.zeros(mask.shape)
        found[:, action[is_sent]] = chances[:, is_sent]
        return found

    return over_actions


def _sent(chosen: Callable[[Columns], IntArray]) -> Probabilities:
    """Return the policy of chosen actions; nothing where the chosen one isn't allowed."""

    def probabilities(observation: Columns, mask: BoolArray) -> FloatArray:
        rows = np.arange(len(mask))
        action = chosen(observation)
        allowed = np.where(mask[rows, action], action, 0)
        found = np.zeros(mask.shape)
        found[rows, allowed] = 1.0
        return found

    return probabilities


def _action_of(settings: PromotionSettings, offer: str | None) -> int:
    with_discount = [one.key for one in settings.offers if one.largest_discount_cents]
    key = offer if offer is not None else (with_discount or [settings.offers[0].key])[0]
    if key not in settings.action_keys[1:]:
        raise ShopError(f"no offer {key!r}; the shop sends {', '.join(settings.action_keys[1:])}")
    return settings.action_keys.index(key)
