"""A shop so small that policy values follow exactly, by dynamic programming over the true state of its shoppers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError
from rl.shops.recommendation.fixed_policies import believed_minds
from rl.shops.recommendation.lockstep_sessions import Probabilities
from rl.shops.recommendation.logging_policy import items_of_keys, logging_policy
from rl.shops.recommendation.session_memory import Columns
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_settings import Dirt, Dynamics, LoggingRule, ShopSettings
from rl.shops.recommendation.shopper_reactions import (
    Minds,
    click_probability,
    leave_probability,
    minds_after,
    points_after_click,
)


def tabular_settings(*, n_taste_types: int = 1, n_shoppers: int = 400, seed: int = 1) -> ShopSettings:
    """Return the settings of three items in three categories, always in stock, with few states of boredom and steps.

    With one taste type, and as misses don't matter, the observation determines the shopper's state. With more, the type
    stays hidden.
    """
    dynamics = Dynamics(
        max_steps=5,
        click_base=-0.6,
        click_boredom=0.1,
        click_repeat=0.0,
        boredom_step=2,
        boredom_cap=2,
        warmth_cap=2,
        leave_base=0.02,
        leave_boredom=0.3,
        leave_miss=0.0,
        miss_cap=0,
    )
    return ShopSettings(
        n_items=3,
        n_categories=3,
        n_taste_types=n_taste_types,
        taste_noise=0.0,
        n_shoppers=n_shoppers,
        seed=seed,
        max_visits_per_day=1,
        out_of_stock_rate=0.0,
        catalogue_seed=6,
        dynamics=dynamics,
        dirt=Dirt.none(),
        logging=LoggingRule(uniform_share=0.3),
    )


@dataclass
class TabularShop:
    """Exact values of policies given as tables over observed states.

    A true state is a taste type with a state of mind (boredom by category, warmth, misses); an observed state is a step
    with boredom and warmth. Tables are `(n_observed, n_items)` with rows that sum to 1.

    Raises:
        ShopError: a shop whose states these tables don't hold.
    """

    settings: ShopSettings
    shop: Shop = field(init=False)
    minds: Minds = field(init=False)

    def __post_init__(self) -> None:
        self.shop = build_shop(self.settings)
        if violations := list(_violations(self.shop)):
            raise ShopError("not a tabular shop: " + "; ".join(violations))
        dynamics = self.settings.dynamics
        levels = [dynamics.boredom_cap + 1] * self.shop.n_categories
        grid = np.indices((*levels, dynamics.warmth_cap + 1, dynamics.miss_cap + 1)).reshape(len(levels) + 2, -1)
        is_shown = np.zeros((grid.shape[1], self.shop.n_items), dtype=bool)
        self.minds = Minds(grid[:-2].T.copy(), is_shown, grid[-2].copy(), grid[-1].copy())

    @property
    def n_observed(self) -> int:
        """Number of observed states."""
        dynamics = self.settings.dynamics
        return int(
            dynamics.max_steps * (dynamics.boredom_cap + 1) ** self.shop.n_categories * (dynamics.warmth_cap + 1)
        )

    def observed_state(self, observation: Columns) -> IntArray:
        """Return the observed state of each row of observation columns, `(n,)`."""
        return self._observed_index(observation["session_step"], believed_minds(self.shop, observation))

    def policy(self, table: FloatArray, action_keys: list[str]) -> Probabilities:
        """Return the table as a policy over observation columns and a mask over natural keys."""
        items = items_of_keys(self.shop, action_keys)

        def probabilities(observation: Columns, mask: BoolArray) -> FloatArray:
            return np.asarray(np.where(items >= 0, table[self.observed_state(observation)][:, items], 0) * mask)

        return probabilities

    def uniform_table(self) -> FloatArray:
        """Return the policy that chooses every item alike in every state."""
        return np.full((self.n_observed, self.shop.n_items), 1 / self.shop.n_items)

    def behavior_table(self) -> FloatArray:
        """Return the behavior policy as a table."""
        return logging_policy(self.shop)({}, np.ones((self.n_observed, self.shop.n_items), dtype=bool))

    def greedy_table(self) -> FloatArray:
        """Return the policy of the most points at once, averaged over taste types, that looks at no later decision."""
        at_once = np.mean([self._immediate(taste) for taste in self.shop.catalogue.taste_types], axis=0)
        return self._table([at_once] * self.settings.dynamics.max_steps)

    def optimal_table(self, gamma: float) -> FloatArray:
        """Return the best policy, by value iteration backwards from the last step.

        Raises:
            ShopError: the observation doesn't determine the state (several taste types, or misses that matter).
        """
        if len(self.shop.catalogue.taste_types) > 1 or self.settings.dynamics.miss_cap > 0:
            raise ShopError("the optimum over observed states needs one taste type and miss_cap 0")
        ahead = np.zeros(len(self.minds.warmth))
        action_values = []
        for _ in range(self.settings.dynamics.max_steps):
            action_values.append(self._backed_up(self.shop.catalogue.taste_types[0], ahead, gamma))
            ahead = action_values[-1].max(axis=1)
        return self._table(action_values[::-1])

    def value(self, table: FloatArray, gamma: float) -> float:
        """Return the exact expected discounted points per session of the policy."""
        fresh = self._mind_index(Minds.fresh(1, self.shop))[0]
        return float(
            np.mean([self._type_values(table, taste, gamma)[0, fresh] for taste in self.shop.catalogue.taste_types])
        )

    def action_values(self, table: FloatArray, gamma: float) -> FloatArray:
        """Return the policy's exact Q, `(n_observed, n_items)`; for shops of one taste type and miss_cap 0 only."""
        if len(self.shop.catalogue.taste_types) > 1 or self.settings.dynamics.miss_cap > 0:
            raise ShopError("action values by observed state need one taste type and miss_cap 0")
        taste = self.shop.catalogue.taste_types[0]
        state_values = self._type_values(table, taste, gamma)
        by_observed = np.zeros((self.n_observed, self.shop.n_items))
        for step in range(self.settings.dynamics.max_steps):
            by_observed[self._observed_index(step, self.minds)] = self._backed_up(taste, state_values[step + 1], gamma)
        return by_observed

    def _type_values(self, table: FloatArray, taste: FloatArray, gamma: float) -> FloatArray:
        """Return the state values by step and state of mind, `(max_steps + 1, n_minds)`."""
        most = self.settings.dynamics.max_steps
        values = np.zeros((most + 1, len(self.minds.warmth)))
        for step in reversed(range(most)):
            chances = table[self._observed_index(step, self.minds)]
            values[step] = (chances * self._backed_up(taste, values[step + 1], gamma)).sum(axis=1)
        return values

    def _immediate(self, taste: FloatArray) -> FloatArray:
        return self._backed_up(taste, np.zeros(len(self.minds.warmth)), 1.0)

    def _backed_up(self, taste: FloatArray, ahead: FloatArray, gamma: float) -> FloatArray:
        """Return the expected points at once plus discounted values ahead, `(n_minds, n_items)`."""
        return np.stack([self._backed_up_item(taste, item, ahead, gamma) for item in range(self.shop.n_items)], axis=1)

    def _backed_up_item(self, taste: FloatArray, item: int, ahead: FloatArray, gamma: float) -> FloatArray:
        shop, n = self.shop, len(self.minds.warmth)
        items = np.full(n, item)
        click = click_probability(shop, np.tile(taste, (n, 1)), self.minds, items)
        boredom = self.minds.boredom[:, shop.catalogue.category[item]]
        value = click * points_after_click(shop, self.minds, items)
        for is_clicked, chance in ((True, click), (False, 1 - click)):
            after = minds_after(shop, self.minds, items, np.full(n, is_clicked))
            stay = 1 - leave_probability(shop, boredom, after.misses)
            value = value + gamma * chance * stay * ahead[self._mind_index(after)]
        return value

    def _table(self, scores_by_step: list[FloatArray]) -> FloatArray:
        table = np.zeros((self.n_observed, self.shop.n_items))
        for step, scores in enumerate(scores_by_step):
            table[self._observed_index(step, self.minds), scores.argmax(axis=1)] = 1
        return table

    def _mind_index(self, minds: Minds) -> IntArray:
        dynamics = self.settings.dynamics
        return self._boredom_and_warmth(minds) * (dynamics.miss_cap + 1) + minds.misses

    def _observed_index(self, step: int | IntArray, minds: Minds) -> IntArray:
        dynamics = self.settings.dynamics
        per_step = (dynamics.boredom_cap + 1) ** self.shop.n_categories * (dynamics.warmth_cap + 1)
        return np.asarray(step * per_step + self._boredom_and_warmth(minds))

    def _boredom_and_warmth(self, minds: Minds) -> IntArray:
        levels = self.settings.dynamics.boredom_cap + 1
        place = levels ** np.arange(self.shop.n_categories)[::-1]
        return np.asarray(minds.boredom @ place * (self.settings.dynamics.warmth_cap + 1) + minds.warmth)


def _violations(shop: Shop) -> list[str]:
    dynamics, measures = shop.settings.dynamics, shop.measures
    remembered = measures.list_lengths["recent_shown_items"]
    checks = {
        "items run out of stock": shop.settings.out_of_stock_rate > 0,
        "personal taste noise": shop.settings.taste_noise > 0,
        "repeated items count apart from their category": dynamics.click_repeat > 0,
        f"more steps than the {remembered} shown items an observation holds": dynamics.max_steps > remembered + 1,
        "refunds earn points": measures.weight("refund") != 0,
        "too many states": (dynamics.boredom_cap + 1) ** shop.n_categories > 100_000,
    }
    return [name for name, is_violated in checks.items() if is_violated]
