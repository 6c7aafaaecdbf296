"""A shop's weeks under its behavior policy: what the deliveries tell of, and what they leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import ShopError
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.lockstep_weeks import LockstepWeeks, Probabilities
from rl.shops.promotion.logging_policy import logging_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.shop import Shop, build_shop
from rl.shops.promotion.shopper_population import Population
from rl.shops.promotion.visible_history import Columns
from rl.shops.promotion.week_responses import WeekResponses

LOG_STREAM = 1


@dataclass(frozen=True)
class GivenWeek:
    """What somebody else than the shop's plan sends in a week.

    Attributes:
        action: of each shopper of the shop, `(n_shoppers,)`; -1 where it is the plan's to say.
        propensity: with which it was drawn, `(n_shoppers,)`.
        policy_version: whose it is, as the campaign tool's log names it.
    """

    action: IntArray
    propensity: FloatArray
    policy_version: str


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
        plans: whose a week's decisions are where they aren't the shop's own plan, by week.
    """

    shop: Shop
    chance: Chance
    population: Population
    weeks: list[WeekResponses]
    observations: list[Columns]
    plans: Mapping[int, str] = field(default_factory=dict)


def simulate(settings: PromotionSettings, given: Mapping[int, GivenWeek] | None = None) -> Simulation:
    """Return all weeks of the shop under its behavior policy; equal settings and given weeks give equal weeks.

    Args:
        settings: of the shop.
        given: weeks that somebody else decides; they change no earlier week, and no chance that shoppers have. Whoever
            may no longer be written to gets nothing.

    Raises:
        ShopError: nobody was there.
    """
    shop, chance = build_shop(settings), Chance((settings.seed, settings.catalogue_seed, LOG_STREAM))
    running = LockstepWeeks(shop, chance, 0, settings.n_shoppers)
    behavior = logging_policy(settings)
    weeks, observations = [], []
    by_others = {} if given is None else given
    for week in range(settings.n_weeks):
        observations.append(running.observe(running.present()))
        is_given = week in by_others
        weeks.append(_played(running, behavior, by_others[week]) if is_given else running.play(behavior))
    observations.append(running.observe(running.present()))
    if not any(len(week.row) for week in weeks):
        raise ShopError(f"none of {settings.n_shoppers} shoppers joined in {settings.n_weeks} weeks; expected more")
    plans = {week: one.policy_version for week, one in by_others.items()}
    return Simulation(shop, chance, running.population, weeks, observations, plans)


def _played(running: LockstepWeeks, behavior: Probabilities, given: GivenWeek) -> WeekResponses:
    """Send what was given, and by the shop's own plan to the shoppers it was given nothing of.

    Of the actions that weren't drawn only the sum of chances is known; it is spread over what else was allowed.
    """
    rows = running.present()
    mask = running.mask(rows)
    chances = behavior(running.observe(rows), mask)
    action, asked = running.drawn(chances), given.action[rows]
    listed = np.flatnonzero(asked >= 0)
    is_allowed = mask[listed, asked[listed]]
    action[listed] = np.where(is_allowed, asked[listed], 0)
    n_allowed = mask[listed].sum(axis=1)
    drawn = np.where(is_allowed & (n_allowed > 1), given.propensity[rows[listed]], 1.0)
    chances[listed] = mask[listed] * ((1 - drawn) / np.maximum(n_allowed - 1, 1))[:, None]
    chances[listed, action[listed]] = drawn
    return running.respond(action, chances)
