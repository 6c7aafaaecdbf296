"""The episodes a perfect pipeline would read from a simulated log, for learning and evaluation without one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.errors import ShopError
from rl.shops.recommendation.logging_policy import items_of_keys
from rl.shops.recommendation.session_memory import Columns
from rl.shops.recommendation.shop import Shop
from rl.shops.recommendation.simulate import Simulation

TextArray = npt.NDArray[np.str_]


@dataclass(frozen=True)
class SimulatedEpisodes:
    """Transitions as columns, `(n,)` unless said otherwise: episodes in the order of their starts, steps in order.

    Attributes:
        observation: exact features, lists `(n, length)`.
        next_observation: those of the next decision; on an episode's last row, where nothing follows and nothing may
            be read, the row's own.
        item: index of the shown item in the catalogue.
        action_key: its natural key.
        reward: points of follow-ups within the attribution window.
        terminal: True on each episode's last row: the simulation knows that nothing follows.
        propensity: behavior policy's probability of the item.
        half_day: row of the shop's availability at the decision.
        availability_id: id of that set.
        decision_time: microseconds since the epoch.
        decision_id: as in the log.
        offsets: first row of each episode and, last, n, `(n_episodes + 1,)`.
        shopper: index of each episode's shopper, `(n_episodes,)`.
        metrics: clicks, carts, purchases and refunds within the attribution window.
    """

    shop: Shop
    observation: Columns
    next_observation: Columns
    item: IntArray
    action_key: TextArray
    reward: FloatArray
    terminal: BoolArray
    propensity: FloatArray
    half_day: IntArray
    availability_id: TextArray
    decision_time: IntArray
    decision_id: TextArray
    offsets: IntArray
    shopper: IntArray
    metrics: Mapping[str, IntArray]


def episodes_from_simulation(
    simulation: Simulation, first_date: date | None = None, last_date: date | None = None
) -> SimulatedEpisodes:
    """Return the sessions that start in the given business days (all days where none are given), as episodes.

    Raises:
        ShopError: no session starts then, or the simulation was run without observations.
    """
    shop, played = simulation.shop, simulation.played
    if not played.observation:
        raise ShopError("the simulation has no observations; expected simulate(..., is_observed=True)")
    day = shop.calendar.day(played.starts.time)
    first = shop.calendar.index(first_date or shop.settings.first_date)
    last = shop.calendar.index(last_date or shop.settings.last_date)
    order = np.argsort(played.starts.time, kind="stable")
    sessions = order[(day[order] >= first) & (day[order] <= last)]
    if not sessions.size:
        raise ShopError(f"no session starts from {first_date} to {last_date}")
    lengths = np.bincount(played.responses.session, minlength=len(day))
    first_row = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.concatenate([np.arange(first_row[session], first_row[session + 1]) for session in sessions])
    offsets = np.concatenate([[0], np.cumsum(lengths[sessions])])
    return _episodes(simulation, rows, offsets, played.starts.shopper[sessions])


def logged_episodes(
    episodes: SimulatedEpisodes, *, encode: Callable[[Mapping[str, IntArray]], FeatureArray], action_keys: list[str]
) -> LoggedEpisodes:
    """Return the episodes as training and evaluation take them, over the given natural keys.

    Raises:
        ShopError: an item was shown that isn't among the keys.
    """
    shop, items = episodes.shop, items_of_keys(episodes.shop, action_keys)
    key_of_item = np.full(shop.n_items, -1)
    key_of_item[items[items >= 0]] = np.flatnonzero(items >= 0)
    action = key_of_item[episodes.item]
    if (action < 0).any():
        missing = sorted(set(episodes.action_key[action < 0].tolist()))
        raise ShopError(f"shown items aren't among the action keys: {', '.join(missing[:5])}")
    following = np.minimum(np.arange(len(action)) + 1, len(action) - 1)
    elapsed = np.where(episodes.terminal, shop.measures.gap, episodes.decision_time[following] - episodes.decision_time)
    return LoggedEpisodes(
        features=encode(episodes.observation),
        next_features=encode(episodes.next_observation),
        action=action,
        reward=episodes.reward,
        terminal=episodes.terminal,
        timeout=np.zeros_like(episodes.terminal),
        propensity=episodes.propensity,
        availability=shop.availability[:, items] & (items >= 0),
        mask_index=episodes.half_day,
        next_mask_index=np.where(episodes.terminal, episodes.half_day, episodes.half_day[following]),
        offsets=episodes.offsets,
        unit=np.unique(episodes.shopper, return_inverse=True)[1],
        start_time=episodes.decision_time[episodes.offsets[:-1]],
        elapsed_microseconds=elapsed,
        policy_version=np.zeros(len(action), dtype=np.int64),
        policy_versions=(shop.settings.logging.policy_version,),
        metrics={name: values.astype(np.float64) for name, values in episodes.metrics.items()},
    )


def _episodes(simulation: Simulation, rows: IntArray, offsets: IntArray, shopper: IntArray) -> SimulatedEpisodes:
    shop, played = simulation.shop, simulation.played
    responses, item = played.responses, played.responses.item[rows]
    terminal = np.zeros(len(rows), dtype=bool)
    terminal[offsets[1:] - 1] = True
    next_rows = np.where(terminal, rows, np.roll(rows, -1))
    half_day = responses.half_day[rows]
    pairs = zip(responses.session[rows].tolist(), responses.step[rows].tolist(), strict=True)
    in_window = {
        f"{name}s": (getattr(responses, f"{name}_time")[rows] - responses.time[rows] <= shop.measures.window)
        for name in ("click", "cart", "purchase", "refund")
    }
    return SimulatedEpisodes(
        shop=shop,
        observation={name: values[rows] for name, values in played.observation.items()},
        next_observation={name: values[next_rows] for name, values in played.observation.items()},
        item=item,
        action_key=np.array(shop.catalogue.item_ids)[item],
        reward=responses.points[rows],
        terminal=terminal,
        propensity=played.propensity[rows],
        half_day=half_day,
        availability_id=np.array(shop.availability_ids)[half_day],
        decision_time=responses.time[rows],
        decision_id=np.array([decision_id(session, step) for session, step in pairs]),
        offsets=offsets,
        shopper=shopper,
        metrics={name: values.astype(np.int64) for name, values in in_window.items()},
    )


def decision_id(session: int, step: int) -> str:
    """Return the decision's id in the log."""
    return f"d{session:06d}-{step:02d}"
