"""Who comes to the shop: shoppers with tastes and habits, and the moments of their visits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.shops.recommendation.measures import MICROSECONDS
from rl.shops.recommendation.shop import Shop
from rl.shops.recommendation.shop_settings import EARLIEST_VISIT_MINUTES, LATEST_VISIT_MINUTES, ShopSettings

ACTIVITY_SHAPE = 1.5


@dataclass(frozen=True)
class Population:
    """Shoppers; what persists of them between sessions is this and their history.

    Attributes:
        taste_type: `(n_shoppers,)`.
        taste: log-odds of a click by category, `(n_shoppers, n_categories)`.
        visits_per_day: mean, `(n_shoppers,)`.
    """

    taste_type: IntArray
    taste: FloatArray
    visits_per_day: FloatArray


def draw_population(shop: Shop, rng: np.random.Generator) -> Population:
    """Draw the shop's shoppers: a taste type with personal noise, and a gamma-distributed activity."""
    settings, types = shop.settings, shop.catalogue.taste_types
    taste_type = rng.integers(0, len(types), settings.n_shoppers)
    noise = rng.normal(0, settings.taste_noise, (settings.n_shoppers, shop.n_categories))
    activity = rng.gamma(ACTIVITY_SHAPE, settings.mean_visits_per_day / ACTIVITY_SHAPE, settings.n_shoppers)
    return Population(taste_type, types[taste_type] + noise, activity)


def expected_visits_per_day(settings: ShopSettings) -> float:
    """Return the mean wished visits of a shopper in a day: negative binomial (gamma activity), and capped."""
    share = ACTIVITY_SHAPE / (ACTIVITY_SHAPE + settings.mean_visits_per_day)
    probability, expected, left = share**ACTIVITY_SHAPE, 0.0, 1.0
    for n_visits in range(settings.max_visits_per_day):
        left -= probability
        expected += left
        probability *= (n_visits + ACTIVITY_SHAPE) / (n_visits + 1) * (1 - share)
    return expected


def draw_visit_times(shop: Shop, population: Population, *, day: int, rng: np.random.Generator) -> list[IntArray]:
    """Draw the day's wished visits: the first of each shopper, the second, and so on, each `(n_shoppers,)`, or -1.

    Lunch and evening are busy. Microseconds since the epoch, ascending within a shopper.
    """
    n, most = len(population.taste), shop.settings.max_visits_per_day
    n_visits = np.minimum(rng.poisson(population.visits_per_day), most)
    is_lunch = rng.random((n, most)) < 0.4
    minutes = np.where(is_lunch, rng.normal(12.5 * 60, 110, (n, most)), rng.normal(19.3 * 60, 100, (n, most)))
    span = LATEST_VISIT_MINUTES - EARLIEST_VISIT_MINUTES
    # Those drawn outside the opening hours come at any time within them.
    is_outside = (minutes < EARLIEST_VISIT_MINUTES) | (minutes > LATEST_VISIT_MINUTES)
    minutes = np.where(is_outside, EARLIEST_VISIT_MINUTES + span * rng.random((n, most)), minutes)
    minutes = np.where(np.arange(most) < n_visits[:, None], minutes, np.inf)
    minutes.sort(axis=1)
    start = shop.calendar.half_day_start(2 * day)
    times = np.where(np.isfinite(minutes), start + np.where(np.isfinite(minutes), minutes, 0) * 60 * MICROSECONDS, -1)
    return [times[:, visit].astype(np.int64) for visit in range(most)]
