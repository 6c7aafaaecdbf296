"""Simple rules of who gets an offer, each thinned to the spend of a budget: what a team would do without learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from conf.specs.scenario import Scenario
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes, Policy
from rl.policy import StochasticPolicy
from rl.policy.offer_prices import OfferPrices, plannable

Target = Callable[[FeatureArray], FloatArray]
"""With which probability each shopper is meant to get an offer, before it is thinned to a spend, `(n,)`."""

RECENCY = "days_since_purchase"
RECENT_DAYS, LAPSED_DAYS = 21, 56
_RIDGE = 1.0


@dataclass(frozen=True)
class TargetedOffers:
    """Sends targeted shoppers one of some offers, with a share; all others nothing.

    Attributes:
        version: its name.
        offers: relative frequency of each action when something is sent, `(n_actions,)`; 0 for nothing.
        nothing: index of the action that offers nothing.
        share: of the target that gets an offer.
        target: who is meant to.
    """

    version: str
    offers: FloatArray
    nothing: int
    share: float
    target: Target = field(repr=False)

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the probabilities, `(n, n_actions)`; where nothing isn't available, all that is are equally likely."""
        possible = np.where(mask, self.offers, 0.0)
        total = possible.sum(axis=1, keepdims=True)
        sent: FloatArray = (self.share * self.target(features))[:, None] * np.divide(
            possible, total, out=np.zeros_like(possible), where=total > 0
        )
        sent[:, self.nothing] += 1 - sent.sum(axis=1)
        without = ~mask[:, self.nothing]
        sent[without] = mask[without] / mask[without].sum(axis=1, keepdims=True)
        return sent


def rules_at_equal_spend(
    policy: StochasticPolicy, scenario: Scenario, train: LoggedEpisodes, validation: LoggedEpisodes
) -> dict[str, Policy]:
    """Return the rules by name, each at the spend of the policy's budget on validation weeks, or all that it can spend.

    Those whose features or metrics the scenario doesn't have are left out.

    Args:
        policy: with prices.
        scenario: that names features and metrics.
        train: what rules that learn are fitted on.
        validation: where the share is fixed, as the policy's price is.
    """
    prices = policy.prices
    if prices is None or prices.nothing is None:
        return {}
    keys, nothing = policy.vocabulary.keys, prices.nothing
    each = {key: _one_hot(place, policy.n_actions) for place, key in enumerate(keys) if place != nothing}
    made = _Thinning(prices, nothing, validation)
    rules: dict[str, Policy] = {"nobody": TargetedOffers("nobody", np.zeros(policy.n_actions), nothing, 0.0, _all)}
    for key, offers in each.items():
        rules[f"{key} to anybody"] = made.thinned(f"{key} to anybody", offers, _all)
    rules["any offer to anybody"] = made.thinned("any offer to anybody", np.sum(list(each.values()), axis=0), _all)
    usual = max(each, key=lambda key: float((train.action == keys.index(key)).sum()))
    for name, target in _targets(policy, scenario, train, validation, made.room_share(each[usual])).items():
        rules[f"{usual} to {name}"] = made.thinned(f"{usual} to {name}", each[usual], target)
    return rules


@dataclass(frozen=True)
class _Thinning:
    """Finds the share of a target at which a rule spends what the budget leaves to plan with."""

    prices: OfferPrices
    nothing: int
    validation: LoggedEpisodes

    @property
    def room(self) -> float:
        """What a shopper's week may commit, in currency."""
        return plannable(self.prices.weekly_budget, self.prices.committed) / self.prices.n_shoppers

    def room_share(self, offers: FloatArray) -> float:
        """Return the share of all shoppers that the budget pays an offer for; at most 1."""
        whole = self._spend(offers, _all)
        return min(1.0, self.room / whole) if whole > 0 else 1.0

    def thinned(self, name: str, offers: FloatArray, target: Target) -> TargetedOffers:
        whole = self._spend(offers, target)
        share = min(1.0, self.room / whole) if whole > 0 else 1.0
        return TargetedOffers(name, offers, self.nothing, share, target)

    def _spend(self, offers: FloatArray, target: Target) -> float:
        rule = TargetedOffers("whole", offers, self.nothing, 1.0, target)
        chances = rule.probabilities(self.validation.features, self.validation.mask())
        return float((chances @ self.prices.costs).mean())


def _targets(
    policy: StochasticPolicy,
    scenario: Scenario,
    train: LoggedEpisodes,
    validation: LoggedEpisodes,
    room_share: float,
) -> Mapping[str, Target]:
    found: dict[str, Target] = {}
    recency = [one.name for one in scenario.observation.features if one.name.startswith(f"{RECENCY}_")]
    counted = {column.name for column in policy.encoder.columns if column.kind == "count"}
    if recency and recency[-1] in counted:
        encoder, name = policy.encoder, recency[-1]
        found["who bought 3 to 8 weeks ago"] = lambda features: (
            encoder.is_at_least(features, name, RECENT_DAYS) & ~encoder.is_at_least(features, name, LAPSED_DAYS)
        ).astype(np.float64)
    bought = next((name for name, event in scenario.metrics.items() if event == "purchase"), None)
    if bought is not None and bought in train.metrics:
        found["likely buyers first"] = _likely_buyers(train, bought, validation, room_share)
    return found


def _likely_buyers(train: LoggedEpisodes, metric: str, validation: LoggedEpisodes, share: float) -> Target:
    """Return who is likeliest to buy, by a linear model of the week's purchases: the classic mistake."""
    features = train.features.astype(np.float64)
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    scaled = (features - mean) / spread
    did_buy = (train.metrics[metric] > 0).astype(np.float64)
    weights = np.linalg.solve(
        scaled.T @ scaled + _RIDGE * np.eye(scaled.shape[1]), scaled.T @ (did_buy - did_buy.mean())
    )

    def score(asked: FeatureArray) -> FloatArray:
        found: FloatArray = ((asked - mean) / spread) @ weights
        return found

    may_get = validation.mask().sum(axis=1) > 1
    chosen = score(validation.features[may_get]) if may_get.any() else score(validation.features)
    threshold = float(np.quantile(chosen, 1 - share))
    return lambda asked: (score(asked) >= threshold).astype(np.float64)


def _all(features: FeatureArray) -> FloatArray:
    return np.ones(len(features))


def _one_hot(place: int, n_actions: int) -> FloatArray:
    found = np.zeros(n_actions)
    found[place] = 1.0
    return found
