"""The plan of a night: which decisions follow its candidate, at which share, for how many nights, at which cost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray
from rl.exploration.allocation import best_equal_share, soonest_shares
from rl.exploration.costs import NightCosts
from rl.exploration.forecast import LONGEST, NightsForecast, forecast_nights
from rl.exploration.prediction import NEVER, Outlook, Strata, Tonight
from rl.exploration.rows import GainRows

_WORTH_TELLING = 0.95
"""Of everybody's nights: strata that save less than a twentieth are not worth telling apart."""
_LEAST_SHARE = 0.001


@dataclass(frozen=True)
class ExplorationLimits:
    """How much may be explored.

    Attributes:
        max_share: of a stratum's decisions.
        max_cost: of what a night earns, at worst.
    """

    max_share: float
    max_cost: float


@dataclass(frozen=True)
class NightPlan:
    """A plan that brings a verdict within a year, more likely than not.

    Attributes:
        strata: of the decisions of the test split.
        shares: by stratum, `(n_strata,)`.
        forecast: of nights to the verdict.
        cost: of a night, expected.
        worst_cost: of a night.
        uniform_nights: median under uniform choices at the same worst cost; infinite beyond a year.
        unexplored_nights: median without exploration; infinite beyond a year.
    """

    strata: Strata
    shares: FloatArray
    forecast: NightsForecast
    cost: float
    worst_cost: float
    uniform_nights: float
    unexplored_nights: float

    @property
    def planned_nights(self) -> int:
        """Nights after which the plan ends: by then a verdict has come in nine of ten cases, or in most of them."""
        return int(min(self.forecast.latest, 2 * self.forecast.median, LONGEST))


def plan_night(rows: GainRows, ways: Iterable[Strata], tonight: Tonight, limits: ExplorationLimits) -> NightPlan | str:
    """Return the plan that brings a verdict soonest, or in words why there is none.

    Args:
        rows: of the night's test split.
        ways: to tell its decisions apart, everybody together first.
        tonight: what the gate found and asks for.
        limits: how much may be explored.
    """
    if tonight.believed.mean <= 0:
        return "the candidate looks worse than what it is compared with: exploring would cost and hardly promote it"
    budget = limits.max_cost * max(rows.baseline_value, 0.0) * tonight.episodes_a_night
    found: list[tuple[float, Strata, FloatArray]] = []
    for strata in ways:
        outlook, costs = _outlook(rows, strata, tonight)
        shares = soonest_shares(outlook.nights, costs.worst, budget=budget, max_share=limits.max_share)
        found.append((outlook.nights(shares.tolist()), strata, shares))
    nights, strata, shares = _worth_telling(found)
    if shares.max() < _LEAST_SHARE or not math.isfinite(nights):
        return (
            f"a night may cost {limits.max_cost:.2%} of what it earns at worst (exploration.max_cost), and that leaves "
            "no share worth exploring"
        )
    plan = _forecast(rows, strata, shares, tonight)
    if math.isinf(plan.forecast.median):
        return (
            f"at {limits.max_share:.0%} of the decisions and {limits.max_cost:.2%} of what a night earns, at most, a "
            "verdict within a year is less likely than none"
        )
    return plan


def _outlook(rows: GainRows, strata: Strata, tonight: Tonight) -> tuple[Outlook, NightCosts]:
    costs = NightCosts.of(rows, strata, rows.candidate, episodes_a_night=tonight.episodes_a_night)
    return Outlook(rows, strata, tonight, rows.candidate), costs


def _worth_telling(found: list[tuple[float, Strata, FloatArray]]) -> tuple[float, Strata, FloatArray]:
    """Return the way with the fewest nights; everybody together where that is hardly later."""
    everybody, best = found[0], min(found, key=lambda one: one[0])
    return best if best[0] < _WORTH_TELLING * everybody[0] else everybody


def _forecast(rows: GainRows, strata: Strata, shares: FloatArray, tonight: Tonight) -> NightPlan:
    outlook, costs = _outlook(rows, strata, tonight)
    worst = float(costs.worst @ shares)
    together = Strata("", ("",), np.zeros(len(rows.part), dtype=np.int64))
    uniform = Outlook(rows, together, tonight, rows.uniform)
    uniform_cost = NightCosts.of(rows, together, rows.uniform, episodes_a_night=tonight.episodes_a_night).worst
    share = best_equal_share(uniform.nights, uniform_cost, budget=worst, max_share=0.9)
    return NightPlan(
        strata=strata,
        shares=shares,
        forecast=outlook_forecast(outlook, shares.tolist(), tonight),
        cost=float(costs.expected @ shares),
        worst_cost=worst,
        uniform_nights=outlook_forecast(uniform, [share], tonight).median,
        unexplored_nights=outlook_forecast(outlook, [0.0] * len(shares), tonight).median,
    )


def outlook_forecast(outlook: Outlook, shares: list[float], tonight: Tonight) -> NightsForecast:
    """Return the forecast of nights at these shares of the outlook's strata."""
    floors, variance = outlook.nights_to_floors(shares), outlook.night_variance(shares)
    if not (math.isfinite(variance) and floors < NEVER):
        return NightsForecast(NEVER, NEVER, NEVER, 0.0, 0.0)
    return forecast_nights(tonight.believed, night_variance=variance, level=tonight.level, first_night=floors)
