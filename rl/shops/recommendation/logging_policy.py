"""The behavior policy of the simulated shop: popularity with a uniform share; its propensities are known."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError
from rl.shops.recommendation.lockstep_sessions import Probabilities
from rl.shops.recommendation.session_memory import Columns
from rl.shops.recommendation.shop import Shop


def logging_policy(shop: Shop, action_keys: list[str] | None = None) -> Probabilities:
    """Return the behavior policy over the given natural keys (the catalogue's order where none are given)."""
    items = items_of_keys(shop, action_keys)
    rule = shop.settings.logging
    weight = np.where(items >= 0, np.exp(shop.catalogue.popularity[items] / rule.temperature), 0)

    def probabilities(_: Columns, mask: BoolArray) -> FloatArray:
        popular = mask * weight
        uniform = mask / mask.sum(axis=1, keepdims=True)
        popular = popular / popular.sum(axis=1, keepdims=True)
        return np.asarray(rule.uniform_share * uniform + (1 - rule.uniform_share) * popular)

    return probabilities


def items_of_keys(shop: Shop, action_keys: list[str] | None) -> IntArray:
    """Return the item index of each natural key, `(n_actions,)`; -1 for keys the shop doesn't sell, such as `(other)`.

    Raises:
        ShopError: a key stands twice.
    """
    if action_keys is None:
        return np.arange(shop.n_items)
    if repeated := sorted({key for key in action_keys if action_keys.count(key) > 1}):
        raise ShopError(f"action keys stand twice: {', '.join(repeated)}; expected every action once")
    index = {item_id: item for item, item_id in enumerate(shop.catalogue.item_ids)}
    return np.array([index.get(key, -1) for key in action_keys], dtype=np.int64)
