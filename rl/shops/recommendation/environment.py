"""The shop as a Gymnasium environment: one session at a time, on the same core as the simulated logs."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from conf.observation_features import OBSERVATION_FEATURES
from rl.data.logged_episodes import BoolArray, IntArray
from rl.shops.recommendation.lockstep_sessions import LockstepSessions, SessionStarts
from rl.shops.recommendation.session_memory import Columns
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.simulate import simulate
from rl.shops.settings_file import changed_settings

POOL_SHOPPERS = 150


class ShopEnvironment(gymnasium.Env[Columns, np.int64]):
    """A session of a shopper; an action is an item's index in the catalogue.

    The observation holds the exact features of the recommendation scenario. The reward of a step is all that its
    decision earns within the attribution window, known at once here though its purchases come later. `info` holds
    `action_mask` (items in stock, int8) and `availability_id`. An item that is out of stock is an empty slot: it earns
    nothing and the shopper leaves. Sessions start as they do under the behavior policy.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # Gymnasium's own interface

    def __init__(self, settings: ShopSettings | None = None) -> None:
        small = changed_settings(settings or ShopSettings(), n_shoppers=POOL_SHOPPERS)
        self.shop: Shop = build_shop(small)
        self._starts: SessionStarts = simulate(self.shop, is_observed=False).played.starts
        self._sessions: LockstepSessions | None = None
        self._last: tuple[Columns, BoolArray, int] | None = None
        self.action_space = spaces.Discrete(self.shop.n_items)
        self.observation_space = spaces.Dict({name: _space(self.shop, name) for name in OBSERVATION_FEATURES})

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Columns, dict[str, Any]]:
        """Start a session of a shopper drawn at random with a past under the behavior policy."""
        super().reset(seed=seed, options=options)
        chosen = self.np_random.integers(len(self._starts), size=1)
        self._sessions = LockstepSessions(self.shop, self._starts.take(chosen), self.np_random)
        return self._seen()

    def step(self, action: np.int64) -> tuple[Columns, float, bool, bool, dict[str, Any]]:
        """Show the shopper the item; terminated once they have left, never truncated."""
        if self._sessions is None or self._last is None or not self._sessions.session.size:
            raise gymnasium.error.ResetNeeded("the session is over; call reset() first")
        observation, mask, half_day = self._last
        if not mask[action]:
            self._sessions = None
            return observation, 0.0, True, False, self._info(mask, half_day)
        responses = self._sessions.respond(np.array([action], dtype=np.int64))
        reward = float(responses.points[0])
        if responses.has_left[0]:
            return observation, reward, True, False, self._info(mask, half_day)
        observation, info = self._seen()
        return observation, reward, False, False, info

    def _seen(self) -> tuple[Columns, dict[str, Any]]:
        sessions = self._sessions
        if sessions is None:
            raise gymnasium.error.ResetNeeded("no session is running; call reset() first")
        columns = sessions.observe()
        observation = {name: np.asarray(values[0], dtype=np.int64) for name, values in columns.items()}
        mask, half_day = sessions.mask()[0], int(self.shop.calendar.half_day(sessions.time)[0])
        self._last = observation, mask, half_day
        return observation, self._info(mask, half_day)

    def _info(self, mask: BoolArray, half_day: int) -> dict[str, Any]:
        return {"action_mask": mask.astype(np.int8), "availability_id": self.shop.availability_ids[half_day]}


def _space(shop: Shop, name: str) -> spaces.Space[IntArray]:
    """Return the space of any 64-bit integers: ids are hashes."""
    bounds = np.iinfo(np.int64)
    is_list = OBSERVATION_FEATURES[name].kind == "list"
    shape = (shop.measures.list_lengths[name],) if is_list else ()
    return spaces.Box(bounds.min, bounds.max, shape=shape, dtype=np.int64)
