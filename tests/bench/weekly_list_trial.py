"""A policy learned from a log of the shop of weekly offers, priced on validation weeks, and played as weekly lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from conf.observation_features import id_hash
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.night.pricing import PricingTerms, WeeklyPricing
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary
from rl.policy.network import DenseNetwork
from rl.policy.observation_encoder import ColumnEncoding
from rl.policy.weekly_list import draw_weekly_list
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.simulate import simulate
from rl.shops.promotion.simulated_episodes import SimulatedEpisodes, episodes_from_simulation, logged_episodes
from rl.shops.promotion.true_value import PolicyTruth, true_list_value, true_policy_value
from rl.shops.promotion.visible_history import Columns
from rl.shops.settings_file import changed_settings

LEAD_WEEKS, JUDGED_WEEKS, N_SHOPPERS = 8, 50, 500
GAMMA, N_ROUNDS, RIDGE = 0.9, 25, 30.0
VALIDATION = (14, 21)
SHOP = PromotionSettings(n_weeks=LEAD_WEEKS + JUDGED_WEEKS, n_shoppers=N_SHOPPERS)
COUNTS = (
    "tenure_weeks",
    "weeks_since_order",
    "weeks_since_visit",
    "weeks_since_offer",
    "orders_28",
    "orders_91",
    "visits_28",
    "spend_28",
    "spend_91",
    "discount_91",
    "offers_28",
    "offers_91",
    "redeemed_91",
    "last_order_redeemed",
)


def trained_policy(seed: int, *, n_shoppers: int = 2000) -> StochasticPolicy:
    """Return a policy of linear values by fitted Q iteration, from the first 22 weeks of a log; values in currency."""
    settings = changed_settings(SHOP, seed=seed, n_shoppers=n_shoppers, n_weeks=VALIDATION[1] + 1)
    log = episodes_from_simulation(simulate(settings))
    encoder = _encoder(log)
    now, later = _with_one(encoder.encode(log.observation)), _with_one(encoder.encode(log.next_observation))
    next_mask = log.action_sets[1 - log.next_observation["is_reachable"]]
    reward, n_actions = log.profit / 1e6, next_mask.shape[1]
    solvers = []
    for action in range(n_actions):
        rows = np.flatnonzero(log.action == action)
        kept = now[rows]
        solvers.append((rows, np.linalg.solve(kept.T @ kept + RIDGE * np.eye(kept.shape[1]), kept.T)))
    weights = np.zeros((now.shape[1], n_actions))
    for _ in range(N_ROUNDS):
        target = reward + GAMMA * np.where(next_mask, later @ weights, -np.inf).max(axis=1)
        weights = np.stack([solve @ target[rows] for rows, solve in solvers], axis=1)
    values = now @ weights
    spread = float(np.where(log.mask.all(axis=1), values.std(axis=1), 0.0).mean())
    network = DenseNetwork((weights[:-1].T.astype(np.float32),), (weights[-1].astype(np.float32),))
    keys = tuple(settings.action_keys)
    return StochasticPolicy(
        name="fqi-1",
        network=network,
        encoder=encoder,
        vocabulary=Vocabulary(keys, tuple(id_hash(key) for key in keys), has_other=False),
        output_scale=spread,
        temperature=0.1,
        exploration_floor=0.02,
        is_other_chosen=False,
        dataset_digest=f"seed {seed}",
    )


def committed_of(settings: PromotionSettings) -> tuple[int, ...]:
    """Return what sending each action commits, in millionths."""
    return (0, *(offer.committed_millionths for offer in settings.offers))


def pricing_of(policy: StochasticPolicy, seed: int, weekly_budget: int) -> StochasticPolicy:
    """Return the policy at the price that the budget has on validation weeks of as many shoppers as are played."""
    log = simulate(changed_settings(SHOP, seed=1000 + seed, n_weeks=VALIDATION[1] + 1))
    episodes = logged_episodes(episodes_from_simulation(log, *VALIDATION), encode=policy.encoder.encode)
    terms = PricingTerms(committed_of(SHOP), weekly_budget, {policy.name: 1.0}, nothing=0)
    n_shoppers = episodes.n_transitions / (VALIDATION[1] - VALIDATION[0] + 1)
    return WeeklyPricing(terms, episodes, n_shoppers).priced(policy)


@dataclass(frozen=True)
class PlayedLists:
    """Weekly lists as they were played: their truth, and what each week committed, in millionths."""

    truth: PolicyTruth
    committed: IntArray


def play_lists(policy: StochasticPolicy, seed: int, weekly_budget: int) -> PlayedLists:
    """Return what fifty weeks of lists lead to."""
    generator = np.random.default_rng(seed)

    def weekly_list(observation: Columns, mask: BoolArray) -> tuple[IntArray, FloatArray]:
        features = policy.encoder.encode(observation)
        drawn = draw_weekly_list(policy, features, mask, weekly_budget=weekly_budget, generator=generator)
        chances = np.zeros(mask.shape)
        chances[np.arange(len(mask)), drawn.index] = 1.0
        return drawn.index, chances

    truth, committed = true_list_value(
        SHOP, weekly_list, lead_weeks=LEAD_WEEKS, n_weeks=JUDGED_WEEKS, n_shoppers=N_SHOPPERS, seed=seed
    )
    return PlayedLists(truth, committed)


def pooled(truths: Sequence[PolicyTruth]) -> PolicyTruth:
    """Return what several plays lead to, of all their shoppers."""
    names = [one.name for one in fields(PolicyTruth)]
    return PolicyTruth(**{name: np.concatenate([getattr(one, name) for one in truths]) for name in names})


def play_price(policy: StochasticPolicy, price: float, seed: int) -> PolicyTruth:
    """Return what the policy leads to at a price, each shopper drawn alone, whatever is committed."""
    assert policy.prices is not None
    at_price = policy.with_prices(policy.prices.at_price(price))
    return true_policy_value(
        SHOP,
        lambda observation, mask: at_price.probabilities(at_price.encoder.encode(observation), mask),
        lead_weeks=LEAD_WEEKS,
        n_weeks=JUDGED_WEEKS,
        n_shoppers=N_SHOPPERS,
        seed=seed,
    )


def _encoder(log: SimulatedEpisodes) -> ObservationEncoder:
    columns = []
    for name in COUNTS:
        values = log.observation[name]
        scaled = np.log1p(np.maximum(values, 0))
        columns.append(
            ColumnEncoding(
                name,
                "count",
                mean=float(scaled.mean()),
                spread=float(scaled.std()) or 1.0,
                has_missing=bool((values < 0).any()),
            )
        )
    segments = tuple(range(int(log.observation["segment"].max()) + 1))
    return ObservationEncoder((*columns, ColumnEncoding("segment", "codes", space="segment")), {"segment": segments})


def _with_one(features: np.ndarray) -> FloatArray:
    return np.concatenate([features.astype(np.float64), np.ones((len(features), 1))], axis=1)
