"""One night that showed no gain, its exploration plan, and what came of following it or exploring uniformly instead."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from rl.data.logged_episodes import FloatArray
from rl.exploration.allocation import best_equal_share, soonest_shares
from rl.exploration.costs import NightCosts
from rl.exploration.forecast import LONGEST, NightsForecast, forecast_nights
from rl.exploration.prediction import Outlook, Strata, Tonight
from rl.exploration.rows import GainRows
from tests.bench.exploration.shop import STRATA, Log, Shop

LEVEL, FLOORS = 0.0088, (200.0, 200.0, 100.0)
MAX_SHARE, MAX_COST = 0.2, 0.02


@dataclass(frozen=True)
class Followed:
    """What one way to explore was forecast to need, and needed.

    Attributes:
        forecast: before it.
        nights: until a look showed a gain or a loss; infinite where none did in a year.
        is_better: whether it was a gain.
        stated_cost: that a night might cost at worst.
        true_cost: of a night, below 0 where exploring earned.
        variance_by_true: the variance that a night was predicted to have, over the one that the year's nights had.
    """

    forecast: NightsForecast
    nights: float
    is_better: bool
    stated_cost: float
    true_cost: float
    variance_by_true: float


@dataclass(frozen=True)
class Trial:
    """A night without a verdict, and both ways from there."""

    plan: Followed
    uniform: Followed


def trial(shop: Shop, seed: int, *, n_test: int, n_night: int) -> Trial | None:
    """Return what came of a night's plan; None where the night showed the gain already, or saw none to look for.

    Args:
        shop: where it is night.
        seed: of the logs.
        n_test: decisions of the test split.
        n_night: that a night brings.
    """
    generator = np.random.default_rng(seed)
    q = shop.fitted(shop.log(shop.champion, 2 * n_test, generator))
    log = shop.log(shop.champion, n_test, generator)
    tonight = _tonight(shop, log, q, n_night)
    if tonight.gain <= 0 or _has_verdict(shop, log, tonight):
        return None
    rows = GainRows.of(*shop.samples(log, q))
    strata = Strata("how often here", STRATA, log.stratum)
    costs = NightCosts.of(rows, strata, rows.candidate, episodes_a_night=n_night)
    outlook = Outlook(rows, strata, tonight, rows.candidate)
    budget = MAX_COST * rows.baseline_value * n_night
    shares = soonest_shares(outlook.nights, costs.worst, budget=budget, max_share=MAX_SHARE)
    stated = float(costs.worst @ shares)
    all_alike = Strata("all", ("all",), np.zeros(len(log.reward), dtype=np.int64))
    uniform_costs = NightCosts.of(rows, all_alike, rows.uniform, episodes_a_night=n_night)
    uniform = Outlook(rows, all_alike, tonight, rows.uniform)
    share = best_equal_share(uniform.nights, uniform_costs.worst, budget=stated, max_share=0.9)
    follow = {"q": q, "tonight": tonight, "generator": generator}
    return Trial(
        _followed(shop, outlook, shares, shop.explored(shares, shop.candidate), stated=stated, **follow),
        _followed(
            shop,
            uniform,
            np.array([share]),
            shop.explored(np.full(3, share), shop.uniform),
            stated=share * float(uniform_costs.worst[0]),
            **follow,
        ),
    )


def _followed(
    shop: Shop,
    outlook: Outlook,
    shares: FloatArray,
    policy: FloatArray,
    *,
    stated: float,
    q: FloatArray,
    tonight: Tonight,
    generator: np.random.Generator,
) -> Followed:
    forecast = forecast_nights(
        tonight.believed,
        night_variance=outlook.night_variance(shares.tolist()),
        level=tonight.level,
        first_night=outlook.nights_to_floors(shares.tolist()),
    )
    log = shop.log(policy, round(tonight.episodes_a_night) * LONGEST, generator)
    nights, is_better = _first_verdict(shop, log, q)
    seen = float(log.gains(shop, q).var()) / tonight.episodes_a_night
    true_cost = (shop.value(shop.champion) - shop.value(policy)) * tonight.episodes_a_night
    predicted = outlook.night_variance(shares.tolist())
    return Followed(forecast, nights, is_better, stated, true_cost, predicted / seen)


def _first_verdict(shop: Shop, log: Log, q: FloatArray) -> tuple[float, bool]:
    """Return the first night at which floors are met and the bound of all nights leaves 0, and whether it is a gain."""
    last = np.arange(1, LONGEST + 1) * (len(log.reward) // LONGEST) - 1
    gains = log.gains(shop, q)
    n = last + 1.0
    mean = gains.cumsum()[last] / n
    error = np.sqrt(np.maximum(np.square(gains).cumsum()[last] / n - mean**2, 0.0) / (n - 1))
    has_floors = np.ones(LONGEST, dtype=np.bool_)
    for size, floor in zip(_sizes_by_row(shop, log), FLOORS, strict=True):
        has_floors &= size[last] >= floor
    seen = has_floors & (np.abs(mean) > norm.ppf(1 - LEVEL) * error)
    if not seen.any():
        return math.inf, False
    place = int(seen.argmax())
    return float(place + 1), bool(mean[place] > 0)


def _sizes_by_row(shop: Shop, log: Log) -> list[FloatArray]:
    """Return Kish's effective numbers of the decisions up to each row, for what the floors count."""
    candidate, champion = (
        policy[log.context, log.action] / log.propensity for policy in (shop.candidate, shop.champion)
    )
    thinner = [candidate, champion], [np.abs(candidate - champion)], [candidate * log.reward, champion * log.reward]
    return [np.min([_running_kish(one) for one in parts], axis=0) for parts in thinner]


def _running_kish(weight: FloatArray) -> FloatArray:
    squares = np.square(weight).cumsum()
    return np.divide(weight.cumsum() ** 2, squares, out=np.zeros(len(weight)), where=squares > 0)


def _tonight(shop: Shop, log: Log, q: FloatArray, n_night: int) -> Tonight:
    gains = log.gains(shop, q)
    return Tonight(
        gain=float(gains.mean()),
        standard_error=float(gains.std(ddof=1)) / math.sqrt(len(gains)),
        level=LEVEL,
        floors=FLOORS,
        episodes_a_night=n_night,
        baseline_value=float(log.reward.mean()),
    )


def _has_verdict(shop: Shop, log: Log, tonight: Tonight) -> bool:
    has_floors = all(size[-1] >= floor for size, floor in zip(_sizes_by_row(shop, log), FLOORS, strict=True))
    return has_floors and tonight.gain > float(norm.ppf(1 - LEVEL)) * tonight.standard_error
