"""The true value of any policy in the shop: Monte Carlo over sessions that start as under the behavior policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, Policy
from rl.errors import ShopError
from rl.shops.recommendation.lockstep_sessions import Probabilities, SessionStarts
from rl.shops.recommendation.logging_policy import items_of_keys, logging_policy
from rl.shops.recommendation.session_memory import Columns
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.shopper_population import expected_visits_per_day
from rl.shops.recommendation.simulate import PlayedSessions, play, simulate
from rl.shops.settings_file import changed_settings

REPLICATIONS = 4
# A stream of its own, so that no log's shoppers come back in the truth that judges it.
TRUTH_STREAM = 7_000_003


@dataclass(frozen=True)
class TrueValue:
    """Expected discounted points per session.

    Attributes:
        value: the Monte Carlo mean.
        standard_error: of the value, over shoppers, whose sessions and replications aren't independent.
        n_sessions: sessions played.
    """

    value: float
    standard_error: float
    n_sessions: int


def true_policy_value(
    settings: ShopSettings,
    probabilities: Probabilities,
    *,
    action_keys: list[str],
    first_date: date,
    last_date: date,
    discount: DiscountFunction,
    n_sessions: int = 40_000,
    seed: int = 0,
) -> TrueValue:
    """Return the policy's expected discounted return per session that starts in the given days.

    Shoppers are drawn afresh from the superpopulation; catalogue and stock are the shop's. They live under the behavior
    policy until a session starts; that session is played by the policy, several times over, and leaves no trace.

    Args:
        settings: the shop.
        probabilities: the policy; gets observation columns and the mask over `action_keys`.
        action_keys: natural keys of the policy's actions; keys the shop doesn't sell are never available.
        first_date: first business day of the sessions' starts, within the shop's days.
        last_date: last business day of them.
        discount: of points, by the decision that earned them.
        n_sessions: sessions to play, about: shoppers are taken whole.
        seed: of the truth's own chance; the same seed plays all policies on the same starts.

    Raises:
        ShopError: dates outside the shop's days, no session in them, or a policy that returns no distributions.
    """
    returns, repeated, _ = _played(
        settings, probabilities, action_keys, first_date, last_date, discount, n_sessions=n_sessions, seed=seed
    )
    return _mean_over_shoppers(returns, repeated.shopper)


def true_values_by_day(
    settings: ShopSettings,
    probabilities: Probabilities,
    *,
    action_keys: list[str],
    first_date: date,
    last_date: date,
    discount: DiscountFunction,
    n_sessions: int = 40_000,
    seed: int = 0,
) -> dict[date, TrueValue]:
    """Return the policy's value of the sessions that start on each of the days, as `true_policy_value` has it.

    `n_sessions` are played in all; the same seed plays all policies on the same starts. A day on which no session
    starts is left out.
    """
    returns, repeated, shop = _played(
        settings, probabilities, action_keys, first_date, last_date, discount, n_sessions=n_sessions, seed=seed
    )
    day = shop.calendar.day(repeated.time)
    return {
        shop.calendar.date(one): _mean_over_shoppers(returns[day == one], repeated.shopper[day == one])
        for one in np.unique(day).tolist()
    }


def _played(
    settings: ShopSettings,
    probabilities: Probabilities,
    action_keys: list[str],
    first_date: date,
    last_date: date,
    discount: DiscountFunction,
    *,
    n_sessions: int,
    seed: int,
) -> tuple[FloatArray, SessionStarts, Shop]:
    """Return the discounted points of each session, `(n,)`, the sessions' starts, and the shop they were played in."""
    shop, starts = _test_starts(settings, first_date, last_date, max(n_sessions // REPLICATIONS, 1), seed)
    if not len(starts):
        raise ShopError(f"no session starts from {first_date} to {last_date}; expected n_sessions well above 1")
    repeated = starts.take(np.repeat(np.arange(len(starts)), REPLICATIONS))
    rng = np.random.default_rng([settings.seed, TRUTH_STREAM, seed, 1])
    policy = over_items(shop, probabilities, action_keys)
    played = play(shop, repeated, policy, rng=rng, is_observed=True)
    return session_returns(played, discount), repeated, shop


def true_behavior_value(
    settings: ShopSettings,
    *,
    first_date: date,
    last_date: date,
    discount: DiscountFunction,
    n_sessions: int = 40_000,
    seed: int = 0,
) -> TrueValue:
    """Return the behavior policy's own value, as `true_policy_value` has it."""
    shop = build_shop(settings)
    keys = list(shop.catalogue.item_ids)
    return true_policy_value(
        settings,
        logging_policy(shop, keys),
        action_keys=keys,
        first_date=first_date,
        last_date=last_date,
        discount=discount,
        n_sessions=n_sessions,
        seed=seed,
    )


def observing(policy: Policy, encode: Callable[[Columns], FeatureArray]) -> Probabilities:
    """Return a policy over encoded features, as one over observation columns."""

    def probabilities(observation: Columns, mask: BoolArray) -> FloatArray:
        return policy.probabilities(encode(observation), mask)

    return probabilities


def over_items(shop: Shop, probabilities: Probabilities, action_keys: list[str]) -> Probabilities:
    """Return a policy over the catalogue's items, from one over natural keys in another order or number.

    Raises:
        ShopError: (when played) a decision at which no action of the policy is available.
    """
    items = items_of_keys(shop, action_keys)
    is_item = items >= 0

    def over_catalogue(observation: Columns, mask: BoolArray) -> FloatArray:
        key_mask = mask[:, items] & is_item
        if not key_mask.any(axis=1).all():
            raise ShopError(f"none of the policy's {len(action_keys)} actions is available at some decision")
        chances = probabilities(observation, key_mask)
        if chances.shape != key_mask.shape:
            raise ShopError(f"the policy returned shape {chances.shape}, expected {key_mask.shape}")
        if (chances[:, ~is_item] != 0).any():
            raise ShopError("the policy gives probability to actions that the shop doesn't sell")
        by_item = np.zeros(mask.shape)
        by_item[:, items[is_item]] = chances[:, is_item]
        return by_item

    return over_catalogue


def session_returns(played: PlayedSessions, discount: DiscountFunction) -> FloatArray:
    """Return the discounted points of each session, `(n_sessions,)`."""
    responses = played.responses
    start = np.empty(len(played.starts), dtype=np.int64)
    is_first = responses.step == 0
    start[responses.session[is_first]] = responses.time[is_first]
    discounted = responses.points * discount.since_start(responses.step, responses.time - start[responses.session])
    return np.bincount(responses.session, weights=discounted, minlength=len(played.starts)).astype(np.float64)


@lru_cache(maxsize=4)
def _test_starts(
    settings: ShopSettings, first_date: date, last_date: date, n_starts: int, seed: int
) -> tuple[Shop, SessionStarts]:
    """Return about so many starts in the given days, of fresh shoppers who live under the behavior policy."""
    if not settings.first_date <= first_date <= last_date <= settings.last_date:
        raise ShopError(
            f"dates {first_date} to {last_date}; expected within {settings.first_date} to "
            f"{settings.last_date}, the shop's days"
        )
    history_days = build_shop(settings).measures.history_days
    born = max(settings.first_date, first_date - timedelta(days=history_days + 1))
    n_test_days = (last_date - first_date).days + 1
    n_shoppers = max(round(n_starts / (n_test_days * expected_visits_per_day(settings))), 1)
    fresh_seed = int(np.random.default_rng([settings.seed, TRUTH_STREAM, seed]).integers(2**31))
    fresh = changed_settings(
        settings, first_date=born, n_days=(last_date - born).days + 1, n_shoppers=n_shoppers, seed=fresh_seed
    )
    shop = build_shop(fresh)
    starts = simulate(shop, is_observed=False).played.starts
    return shop, starts.take(np.flatnonzero(shop.calendar.day(starts.time) >= shop.calendar.index(first_date)))


def _mean_over_shoppers(returns: FloatArray, shopper: IntArray) -> TrueValue:
    """Return the mean per session, with the standard error of a ratio of sums over shoppers."""
    value = float(returns.mean())
    residual = np.bincount(shopper, weights=returns - value)
    n_shoppers = len(np.unique(shopper))
    inflation = n_shoppers / (n_shoppers - 1) if n_shoppers > 1 else np.inf
    standard_error = float(np.sqrt(inflation * (residual**2).sum()) / len(returns))
    return TrueValue(value, standard_error, len(returns))
