"""Trials of interval coverage: logs of one simulated shop, doubly robust intervals, and the true values they aim at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray, LoggedEpisodes
from rl.ope.intervals.intervals import Interval, Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import EvaluationSettings, evaluate_policies
from rl.shops.recommendation.fixed_policies import anti_repeat_policy
from rl.shops.recommendation.lockstep_sessions import Probabilities
from rl.shops.recommendation.logging_policy import logging_policy
from rl.shops.recommendation.session_memory import Columns
from rl.shops.recommendation.shop import Shop, build_shop
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.simulate import simulate
from rl.shops.recommendation.simulated_episodes import episodes_from_simulation, logged_episodes
from rl.shops.recommendation.true_value import TrueValue, true_policy_value

GAMMA = 0.95
N_RECENT = 3
N_TRUTH_SESSIONS = 160_000
SETTINGS = ShopSettings(n_days=10, n_shoppers=600)
FIRST_TEST_DATE = SETTINGS.first_date + timedelta(days=6)
POLICIES = ("logging", "anti_repeat")


@dataclass(frozen=True)
class RecentCategoriesPolicy:
    """A shop's policy, asked by encoded features: it needs the recently shown categories only."""

    shop: Shop
    rule: Probabilities
    version: str

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Action probabilities, `(n, n_actions)`."""
        known = np.concatenate([[0], self.shop.catalogue.category_hash])
        places = features[:, : N_RECENT * len(known)].reshape(len(features), N_RECENT, len(known))
        return self.rule({"recent_shown_categories": known[places.argmax(axis=2)]}, mask)


def encode(shop: Shop, observation: Mapping[str, IntArray]) -> FeatureArray:
    """One-hot recent categories (none: first of each block), engaged and favorite categories, place in the session."""
    known = np.concatenate([[0], shop.catalogue.category_hash])
    recent = observation["recent_shown_categories"][:, :N_RECENT, None] == known
    engaged = (observation["recent_engaged_categories"][:, :, None] == known[1:]).any(axis=1)
    favorite = (observation["favorite_categories"][:, :, None] == known[1:]).any(axis=1)
    counts = np.stack([observation[name] for name in ("session_step", "n_session_clicks", "n_session_carts")], axis=1)
    return np.hstack([recent.reshape(len(recent), -1), engaged, favorite, counts]).astype(np.float32)


def policy_rules(shop: Shop) -> dict[str, Probabilities]:
    """The two policies on trial: the one that makes the log, and one that shows a category again less often."""
    keys = list(shop.catalogue.item_ids)
    return {"logging": logging_policy(shop, keys), "anti_repeat": anti_repeat_policy(shop, keys)}


def split_log(seed: int) -> tuple[Shop, LoggedEpisodes, LoggedEpisodes]:
    """A shop's log with that seed: the earlier days to fit on, the later days to evaluate on."""
    shop = build_shop(SETTINGS.model_copy(update={"seed": seed}))
    simulation = simulate(shop)

    def encoded(observation: Columns | Mapping[str, IntArray]) -> FeatureArray:
        return encode(shop, observation)

    keys = list(shop.catalogue.item_ids)
    earlier = episodes_from_simulation(simulation, last_date=FIRST_TEST_DATE - timedelta(days=1))
    later = episodes_from_simulation(simulation, first_date=FIRST_TEST_DATE)
    train, test = (logged_episodes(part, encode=encoded, action_keys=keys) for part in (earlier, later))
    return shop, train, test


def intervals(seed: int, *, estimator: str = "dr") -> dict[str, Interval]:
    """95% interval of each policy's value from one log, resampling shoppers."""
    shop, train, test = split_log(seed)
    policies = {name: RecentCategoriesPolicy(shop, rule, name) for name, rule in policy_rules(shop).items()}
    settings = EvaluationSettings(
        discount=DiscountFunction(GAMMA),
        estimators=(estimator,),
        resampling=Resampling(n_draws=1000, seed=seed),
        fqe=FqeSettings(method="linear"),
    )
    evaluation = evaluate_policies(policies, train=train, test=test, settings=settings)
    found = {}
    for name in policies:
        report = evaluation.report(name, estimator)
        if report.value is None or report.lower is None or report.upper is None or report.standard_error is None:
            raise ValueError(f"{estimator} gave no value for {name}: {report.refusal}")
        found[name] = Interval(
            report.value, report.lower, report.upper, report.level, str(report.interval_method), report.standard_error
        )
    return found


@cache
def true_values() -> dict[str, TrueValue]:
    """Each policy's true value on the later days: the same for all seeds, which draw logs of one shop."""
    shop = build_shop(SETTINGS)
    return {
        name: true_policy_value(
            SETTINGS,
            rule,
            action_keys=list(shop.catalogue.item_ids),
            first_date=FIRST_TEST_DATE,
            last_date=SETTINGS.last_date,
            discount=DiscountFunction(GAMMA),
            n_sessions=N_TRUTH_SESSIONS,
        )
        for name, rule in policy_rules(shop).items()
    }
