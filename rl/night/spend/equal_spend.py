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

Allowed = Callable[[FeatureArray, BoolArray], BoolArray]
"""What is left of a mask where a shopper has had as many offers as caps allow, `(n, n_actions)`."""

RECENCY = "days_since_purchase"
RECENT_DAYS, LAPSED_DAYS = 21, 56
_RIDGE = 1.0


@dataclass(frozen=True)
class TargetedOffers:
    """Sends targeted shoppers one of some offers, with a share; all others nothing, as whoever had enough offers.

    Attributes:
        version: its name.
        offers: relative frequency of each action when something is sent, `(n_actions,)`; 0 for nothing.
        nothing: index of the action that offers nothing.
        share: of the target that gets an offer.
        target: who is meant to.
        allowed: what caps leave, as they do to the policy that the rule is compared with.
    """

    version: str
    offers: FloatArray
    nothing: int
    share: float
    target: Target = field(repr=False)
    allowed: Allowed = field(repr=False)

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the probabilities, `(n, n_actions)`; where nothing isn't available, all that is are equally likely."""
        mask = self.allowed(features, mask)
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

    They keep the policy's caps, so that a larger share of the others gets an offer. Those whose features or metrics the
    scenario doesn't have are left out.

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

    def allowed(features: FeatureArray, mask: BoolArray) -> BoolArray:
        return prices.allowed(policy.encoder, features, mask)

    made = _Thinning(prices, nothing, validation, allowed)
    rules: dict[str, Policy] = {"nobody": made.at_share("nobody", np.zeros(policy.n_actions), _all, share=0.0)}
    for key, offers in each.items():
        rules[f"{key} to anybody"] = made.thinned(f"{key} to anybody", offers, _all)
    rules["any offer to anybody"] = made.thinned("any offer to anybody", np.sum(list(each.values()), axis=0), _all)
    usual = max(each, key=lambda key: float((train.action == keys.index(key)).sum()))
    targets = _targets(policy, scenario, train, made.may_get_offers, made.room_share(each[usual]))
    for name, target in targets.items():
        rules[f"{usual} to {name}"] = made.thinned(f"{usual} to {name}", each[usual], target)
    return rules


@dataclass(frozen=True)
class _Thinning:
    """Finds the share of a target at which a rule spends what the budget leaves to plan with."""

    prices: OfferPrices
    nothing: int
    validation: LoggedEpisodes
    allowed: Allowed

    @property
    def may_get_offers(self) -> FeatureArray:
        """The validation weeks' observations of whoever may get one; all, where nobody may."""
        features = self.validation.features
        may_get = self.allowed(features, self.validation.mask()).sum(axis=1) > 1
        return features[may_get] if may_get.any() else features

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
        return self.at_share(name, offers, target, share=min(1.0, self.room / whole) if whole > 0 else 1.0)

    def at_share(self, name: str, offers: FloatArray, target: Target, *, share: float) -> TargetedOffers:
        return TargetedOffers(name, offers, self.nothing, share, target, self.allowed)

    def _spend(self, offers: FloatArray, target: Target) -> float:
        rule = self.at_share("whole", offers, target, share=1.0)
        chances = rule.probabilities(self.validation.features, self.validation.mask())
        return float((chances @ self.prices.costs).mean())


def _targets(
    policy: StochasticPolicy,
    scenario: Scenario,
    train: LoggedEpisodes,
    may_get_offers: FeatureArray,
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
        found["likely buyers first"] = _likely_buyers(train, bought, may_get_offers, room_share)
    return found


def _likely_buyers(train: LoggedEpisodes, metric: str, may_get_offers: FeatureArray, share: float) -> Target:
    """Return who is likeliest to buy, by a linear model of the week's purchases: the classic mistake.

    Args:
        train: the model is fitted on them.
        metric: that counts purchases.
        may_get_offers: observations among which the likeliest are found, `(n, n_features)`.
        share: of them that is meant to get an offer.
    """
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

    threshold = float(np.quantile(score(may_get_offers), 1 - share))
    return lambda asked: (score(asked) >= threshold).astype(np.float64)


def _all(features: FeatureArray) -> FloatArray:
    return np.ones(len(features))


def _one_hot(place: int, n_actions: int) -> FloatArray:
    found = np.zeros(n_actions)
    found[place] = 1.0
    return found
