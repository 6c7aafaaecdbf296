"""What a policy or a list may return: distributions over allowed actions, and actions that are allowed."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError

PROBABILITY_TOLERANCE = 1e-6


def refuse_unfit(chances: FloatArray, mask: BoolArray) -> None:
    """Raise if the chances are no distributions over the allowed actions of each shopper.

    Raises:
        ShopError: says what is wrong.
    """
    if chances.shape != mask.shape:
        raise ShopError(f"the policy returned shape {chances.shape}, expected {mask.shape}")
    if not np.isfinite(chances).all() or (chances < 0).any() or (chances[~mask] != 0).any():
        raise ShopError("the policy gives an action no finite probability from 0 on, or one above 0 that isn't allowed")
    off = np.abs(chances.sum(axis=1) - 1)
    if (off > PROBABILITY_TOLERANCE).any():
        raise ShopError(f"the policy's probabilities sum to 1 +- {off.max():.2g}; expected 1")


def refuse_forbidden(action: IntArray, mask: BoolArray) -> None:
    """Raise if an action isn't allowed, or there isn't one for each shopper.

    Raises:
        ShopError: says how many.
    """
    if action.shape != (len(mask),):
        raise ShopError(f"actions of shape {action.shape}; expected one for each of {len(mask)} shoppers")
    is_known = (action >= 0) & (action < mask.shape[1])
    n_forbidden = int((~is_known | ~mask[np.arange(len(mask)), np.where(is_known, action, 0)]).sum())
    if n_forbidden:
        raise ShopError(f"{n_forbidden} shoppers would be sent what they may not get; keep to the mask")
