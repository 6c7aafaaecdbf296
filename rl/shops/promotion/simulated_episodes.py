"""The episodes a perfect pipeline would read from the shop's log: a shopper's weeks, for learning without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.errors import ShopError
from rl.shops.promotion.simulate import Simulation
from rl.shops.promotion.visible_history import Columns
from rl.shops.promotion.week_responses import WeekResponses

MILLIONTHS = 1e6


@dataclass(frozen=True)
class SimulatedEpisodes:
    """Shopper-weeks as columns, `(n,)` unless said otherwise: shoppers in order, weeks in order.

    Weeks in which nothing may be sent are rows like others.

    Attributes:
        simulation: where they come from.
        observation: what the log showed at the decision, as `OBSERVED_COLUMNS` says.
        next_observation: the same a week later, also behind the last week.
        shopper: index of the shopper.
        week: that was decided.
        action: what was sent.
        propensity: behavior policy's probability of it.
        profit, committed, redeemed: of the week, millionths; a refund counts in the week of its purchase.
        offsets: first row of each episode and, last, n, `(n_episodes + 1,)`.
    """

    simulation: Simulation
    observation: Columns
    next_observation: Columns
    shopper: IntArray
    week: IntArray
    action: IntArray
    propensity: FloatArray
    profit: IntArray
    committed: IntArray
    redeemed: IntArray
    offsets: IntArray

    @property
    def mask(self) -> BoolArray:
        """Allowed actions of each row, `(n, n_actions)`."""
        return self.action_sets[1 - self.observation["is_reachable"]]

    @property
    def action_sets(self) -> BoolArray:
        """All that may be sent, and what may be sent to those who opted out, `(2, n_actions)`."""
        sets = np.ones((2, self.simulation.shop.n_actions), dtype=np.bool_)
        sets[1, 1:] = False
        return sets


def episodes_from_simulation(
    simulation: Simulation, first_week: int = 0, last_week: int | None = None
) -> SimulatedEpisodes:
    """Return each shopper's weeks from the first to the last (to the shop's last where none is given).

    Raises:
        ShopError: weeks that the simulation doesn't have, or nobody in them.
    """
    n_weeks = len(simulation.weeks)
    last = n_weeks - 1 if last_week is None else last_week
    if not 0 <= first_week <= last < n_weeks:
        raise ShopError(f"weeks {first_week} to {last}; expected within 0 to {n_weeks - 1}, the shop's weeks")
    weeks = simulation.weeks[first_week : last + 1]
    shopper = np.concatenate([week.row for week in weeks])
    if not len(shopper):
        raise ShopError(f"nobody is there in weeks {first_week} to {last}")
    week_of = np.repeat(np.arange(first_week, last + 1), [len(week.row) for week in weeks])
    order = np.lexsort((week_of, shopper))
    ordered = shopper[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))

    def column(of: Callable[[WeekResponses], IntArray]) -> IntArray:
        return np.concatenate([of(week) for week in weeks])[order]

    return SimulatedEpisodes(
        simulation=simulation,
        observation=_joined([simulation.observations[week.week] for week in weeks], order),
        next_observation=_joined([_a_week_later(simulation, week) for week in weeks], order),
        shopper=ordered,
        week=week_of[order],
        action=column(lambda week: week.action),
        propensity=np.concatenate([week.propensity for week in weeks])[order],
        profit=column(lambda week: week.profit),
        committed=column(lambda week: week.committed),
        redeemed=column(lambda week: week.contact_cost + week.discount),
        offsets=np.append(starts, len(ordered)),
    )


def logged_episodes(episodes: SimulatedEpisodes, *, encode: Callable[[Columns], FeatureArray]) -> LoggedEpisodes:
    """Return the episodes as training and evaluation take them: actions in the shop's order, rewards in currency.

    Every episode ends in a timeout: weeks end by time alone.

    Args:
        episodes: the shopper-weeks.
        encode: observation columns to features, `(n, n_features)`.
    """
    calendar, settings = episodes.simulation.shop.calendar, episodes.simulation.shop.settings
    times = np.array([calendar.decision_time(week) for week in range(settings.n_weeks + 1)])
    is_last = np.zeros(len(episodes.action), dtype=np.bool_)
    is_last[episodes.offsets[1:] - 1] = True
    return LoggedEpisodes(
        features=encode(episodes.observation),
        next_features=encode(episodes.next_observation),
        action=episodes.action,
        reward=episodes.profit / MILLIONTHS,
        terminal=np.zeros_like(is_last),
        timeout=is_last,
        propensity=episodes.propensity,
        availability=episodes.action_sets,
        mask_index=1 - episodes.observation["is_reachable"],
        next_mask_index=1 - episodes.next_observation["is_reachable"],
        offsets=episodes.offsets,
        unit=np.arange(len(episodes.offsets) - 1),
        start_time=times[episodes.week[episodes.offsets[:-1]]],
        elapsed_microseconds=times[episodes.week + 1] - times[episodes.week],
        policy_version=np.zeros(len(episodes.action), dtype=np.int64),
        policy_versions=(settings.logging.policy_version,),
        metrics={"committed": episodes.committed / MILLIONTHS, "redeemed": episodes.redeemed / MILLIONTHS},
    )


def _a_week_later(simulation: Simulation, week: WeekResponses) -> Columns:
    """Return what the log shows of the week's shoppers at the next decision; nobody leaves the register."""
    following = simulation.observations[week.week + 1]
    there = np.flatnonzero(simulation.population.joined_week <= week.week + 1)
    place = np.searchsorted(there, week.row)
    return {name: values[place] for name, values in following.items()}


def _joined(parts: list[Columns], order: IntArray) -> Columns:
    return {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]}
