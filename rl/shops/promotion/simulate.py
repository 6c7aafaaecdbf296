"""A shop's weeks under its behavior policy: what the deliveries tell of, and what they leave out."""

from __future__ import annotations

from dataclasses import dataclass

from rl.errors import ShopError
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.lockstep_weeks import LockstepWeeks
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.shop import Shop, build_shop
from rl.shops.promotion.shopper_population import Population
from rl.shops.promotion.visible_history import Columns
from rl.shops.promotion.week_responses import WeekResponses

LOG_STREAM = 1


@dataclass(frozen=True)
class Simulation:
    """Weeks of a shop.

    Attributes:
        shop: the shop.
        chance: whose numbers decided.
        population: its shoppers.
        weeks: every decision with what followed, week by week.
        observations: what the log showed at each week's decisions, rows as in `weeks`; and last, of all shoppers, what
            it shows when the weeks are over.
    """

    shop: Shop
    chance: Chance
    population: Population
    weeks: list[WeekResponses]
    observations: list[Columns]


def simulate(settings: PromotionSettings) -> Simulation:
    """Return all weeks of the shop under its behavior policy; equal settings give equal weeks.

    Raises:
        ShopError: nobody was there.
    """
    shop, chance = build_shop(settings), Chance((settings.seed, settings.catalogue_seed, LOG_STREAM))
    running = LockstepWeeks(shop, chance, 0, settings.n_shoppers)
    behavior = logging_policy(settings)
    weeks, observations = [], []
    for _ in range(settings.n_weeks):
        observations.append(running.observe(running.present()))
        weeks.append(running.play(behavior))
    observations.append(running.observe(running.present()))
    if not any(len(week.row) for week in weeks):
        raise ShopError(f"none of {settings.n_shoppers} shoppers joined in {settings.n_weeks} weeks; expected more")
    return Simulation(shop, chance, running.population, weeks, observations)
