"""A few fixed evaluation policies: functions of the observation and the mask, with the shop's catalogue in hand."""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.shops.recommendation.lockstep_sessions import Probabilities
from rl.shops.recommendation.logging_policy import items_of_keys, logging_policy
from rl.shops.recommendation.session_memory import Columns
from rl.shops.recommendation.shop import Shop
from rl.shops.recommendation.shopper_reactions import (
    Minds,
    click_probability,
    leave_probability,
    minds_after,
    points_after_click,
)

# Log-odds that a liking seen in the history, or in this session, adds to the average shopper's taste.
FAVORITE_LIKING = (0.9, 0.5, 0.3)
ENGAGED_LIKING = 0.5


def uniform_policy(shop: Shop, action_keys: list[str]) -> Probabilities:
    """Return the policy that chooses every available action alike."""
    del shop, action_keys

    def probabilities(_: Columns, mask: BoolArray) -> FloatArray:
        return np.asarray(mask / mask.sum(axis=1, keepdims=True))

    return probabilities


def anti_repeat_policy(
    shop: Shop, action_keys: list[str], *, per_repeat: float = 0.35, n_recent: int = 3, floor: float = 0.1
) -> Probabilities:
    """Return the behavior policy with a category's weight times `per_repeat` for each time it was recently shown."""
    items = items_of_keys(shop, action_keys)
    category_hash = np.where(items >= 0, shop.catalogue.item_category_hash[items], 0)
    behavior = logging_policy(shop, action_keys)

    def probabilities(observation: Columns, mask: BoolArray) -> FloatArray:
        recent = observation["recent_shown_categories"][:, :n_recent]
        n_repeats = (recent[:, :, None] == category_hash).sum(axis=1)
        return _with_floor(behavior(observation, mask) * per_repeat**n_repeats, mask, floor)

    return probabilities


def myopic_policy(
    shop: Shop, action_keys: list[str], *, temperature: float = 0.35, floor: float = 0.1
) -> Probabilities:
    """Return a soft choice of the most points at once: it knows how shoppers react to a decision, but not later."""
    return patient_policy(shop, action_keys, points_ahead=0.0, temperature=temperature, floor=floor)


def patient_policy(
    shop: Shop, action_keys: list[str], *, points_ahead: float = 5.0, temperature: float = 0.35, floor: float = 0.1
) -> Probabilities:
    """Return the myopic policy that also counts, for a shopper who stays, so many points ahead."""
    items = items_of_keys(shop, action_keys)

    def probabilities(observation: Columns, mask: BoolArray) -> FloatArray:
        score = _score(shop, observation, items[items >= 0], points_ahead)
        scores = np.full(mask.shape, -np.inf)
        scores[:, items >= 0] = score
        scores = np.where(mask, scores / temperature, -np.inf)
        return _with_floor(np.exp(scores - scores.max(axis=1, keepdims=True)), mask, floor)

    return probabilities


def _score(shop: Shop, observation: Columns, items: IntArray, points_ahead: float) -> FloatArray:
    """Return the expected points at once plus the chance to stay times the points ahead, `(n, len(items))`."""
    minds, taste = believed_minds(shop, observation), believed_taste(shop, observation)
    scores = []
    for item in items:
        shown = np.full(len(taste), item)
        click = click_probability(shop, taste, minds, shown)
        boredom = minds.boredom[:, shop.catalogue.category[item]]
        missed = np.minimum(minds.misses + 1, shop.settings.dynamics.miss_cap)
        leave_clicked = leave_probability(shop, boredom, np.zeros_like(missed))
        leave = click * leave_clicked + (1 - click) * leave_probability(shop, boredom, missed)
        scores.append(click * points_after_click(shop, minds, shown) + (1 - leave) * points_ahead)
    return np.stack(scores, axis=1)


def believed_minds(shop: Shop, observation: Columns) -> Minds:
    """Return the minds as far as the recently shown items tell: exact for sessions no longer than the list.

    Misses aren't told by the features; they are taken to be none.
    """
    shown = _index_of_hash(observation["recent_shown_items"], shop.catalogue.item_hash)
    minds = Minds.fresh(len(shown), shop)
    for item in shown.T[::-1]:
        rows = np.flatnonzero(item >= 0)
        after = minds_after(shop, minds.take(rows), item[rows], np.zeros(len(rows), dtype=bool))
        minds.boredom[rows], minds.is_shown[rows] = after.boredom, after.is_shown
    minds.warmth = np.minimum(observation["n_session_clicks"], shop.settings.dynamics.warmth_cap)
    return minds


def believed_taste(shop: Shop, observation: Columns) -> FloatArray:
    """Return the average taste, with liking for favorite categories and for those engaged with in the session."""
    catalogue = shop.catalogue
    taste = np.repeat(catalogue.taste_types.mean(axis=0)[None], len(observation["session_step"]), axis=0)
    for place, liking in zip(observation["favorite_categories"].T, FAVORITE_LIKING, strict=False):
        taste += liking * (place[:, None] == catalogue.category_hash)
    engaged = observation["recent_engaged_categories"][:, :, None] == catalogue.category_hash
    return np.asarray(taste + ENGAGED_LIKING * engaged.any(axis=1))


def _index_of_hash(hashes: IntArray, known: IntArray) -> IntArray:
    """Return the index of each hash among the known ones, -1 for padding."""
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known[order], hashes), len(known) - 1)
    return np.where(known[order][place] == hashes, order[place], -1)


def _with_floor(weights: FloatArray, mask: BoolArray, floor: float) -> FloatArray:
    """Return the weights as distributions over the mask, with a uniform share mixed in."""
    available = weights * mask
    uniform = mask / mask.sum(axis=1, keepdims=True)
    return np.asarray(floor * uniform + (1 - floor) * available / available.sum(axis=1, keepdims=True))
