"""What a team would send without reinforcement learning, each peer at the weekly spend of a night's policy.

Shares and prices are fixed on validation weeks, as the night's own price is. A peer that can't spend so much, or to
which nothing more is worth its money, spends less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray
from rl.errors import EvaluationError
from rl.night.spend.equal_spend import rules_at_equal_spend
from rl.ope.effects.first_decisions import FirstDecisions
from rl.ope.effects.learners import LEARNERS, EffectModel
from rl.policy import StochasticPolicy
from rl.policy.offer_budget import choose_at_price, price_of_budget, spend_path
from rl.policy.offer_prices import MILLIONTHS
from rl.shops.promotion.fixed_policies import fixed_policies, over_keys
from rl.shops.promotion.lockstep_weeks import Probabilities
from rl.shops.promotion.visible_history import Columns
from rl.shops.promotion.watched_weeks import Player
from tests.bench.promotion.simulated_night import SimulatedNight

EFFECT_WEEKS = 4
"""Over how many weeks learners of effects sum what follows an offer: those of a block."""

ANYBODY = ("anybody", "nobody")
"""How names of rules end that read nothing of a shopper."""


class WeeklyPolicy(Protocol):
    """Decides shopper by shopper, by the features of the pipeline's rows."""

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the probability of each action, `(n, n_actions)`."""
        ...


@dataclass(frozen=True)
class PricedEffects:
    """Gives each shopper the offer whose effect is worth its money at a price, by the knapsack's path.

    Attributes:
        model: what each action is worth; effects are over the first one, which sends nothing.
        costs: what each action commits, in currency, `(n_actions,)`.
        price: what a unit of committed money has to bring, at least 0.
    """

    model: EffectModel
    costs: FloatArray
    price: float

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return 1 for the offer that is chosen and 0 for all others, `(n, n_actions)`."""
        chosen = choose_at_price(self.effects(features, mask), self.costs[1:], self.price)
        found: FloatArray = np.eye(len(self.costs))[chosen + 1]
        return found

    def effects(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return what each offer brings over nothing, `(n, n_offers)`; less than nothing where it isn't allowed."""
        values = self.model.values(features)
        return np.where(mask[:, 1:], values[:, 1:] - values[:, :1], -1.0)

    def within(self, budget: float, features: FeatureArray, mask: BoolArray) -> PricedEffects:
        """Return the same at the least price at which these shoppers commit no more than the budget, in currency."""
        path = spend_path(self.effects(features, mask), self.costs[1:])
        return replace(self, price=price_of_budget(path, budget))


def expected_spend(policy: WeeklyPolicy, night: SimulatedNight) -> float:
    """Return what a shopper's week is expected to commit on the night's validation weeks, in currency."""
    validation = night.episodes("validation")
    chances = policy.probabilities(validation.features, validation.mask())
    return float((chances @ np.array(night.committed)).mean() / MILLIONTHS)


def weekly_budget_of(spend: float, night: SimulatedNight) -> int:
    """Return the weekly budget, in millionths, that leaves a shopper's week this much to plan with, in currency."""
    return round(spend * night.n_shoppers("validation") * MILLIONTHS) + max(night.committed)


def row_peers(policy: StochasticPolicy, night: SimulatedNight, spend: float) -> dict[str, WeeklyPolicy]:
    """Return the peers that learn of whom offers go to, by name: rules of the review page, and learners of effects.

    Args:
        policy: of the night, with prices.
        night: whose training weeks they are fitted on.
        spend: of a shopper's week, in currency.

    Raises:
        EvaluationError: a policy without prices.
    """
    if policy.prices is None:
        raise EvaluationError(f"policy {policy.name} holds no prices of offers")
    at_spend = replace(
        policy.prices, weekly_budget=weekly_budget_of(spend, night), n_shoppers=night.n_shoppers("validation")
    )
    rules = rules_at_equal_spend(
        policy.with_prices(at_spend), night.pipeline.scenario, night.episodes("train"), night.episodes("validation")
    )
    # Those that send to anybody don't read rows: `column_peers`.
    targeted: dict[str, WeeklyPolicy] = {name: rule for name, rule in rules.items() if not name.endswith(ANYBODY)}
    return targeted | effect_peers(night, spend)


def column_peers(night: SimulatedNight, spend: float) -> dict[str, Probabilities]:
    """Return the peers that need no rows of a pipeline, by name, of whose offers a share is sent that keeps the spend.

    The RFM rule with weeks of rest sends all its offers: it can't spend as much.

    Args:
        night: on whose validation weeks shares are fixed.
        spend: of a shopper's week, in currency.
    """
    validation, costs = night.episodes("validation"), np.array(night.committed) / MILLIONTHS
    may_get, fixed = float(validation.mask()[:, 1].mean()), fixed_policies(night.settings)
    usual = {f"everybody_{offer.key}": may_get * costs[1 + k] for k, offer in enumerate(night.settings.offers)}
    usual |= {"random": may_get * costs.mean(), "behavior": float(costs[validation.action].mean())}
    found = {name: thinned(fixed[name], min(1.0, spend / whole)) for name, whole in usual.items()}
    return {"nobody": fixed["nobody"], **found, "rfm": fixed["rfm"]}


def effect_peers(night: SimulatedNight, spend: float, *, n_weeks: int = EFFECT_WEEKS) -> dict[str, WeeklyPolicy]:
    """Return each learner of effects with the knapsack at the spend, learned from all training weeks.

    Args:
        night: whose weeks they learn from.
        spend: of a shopper's week, in currency.
        n_weeks: over which an offer's effect is summed.
    """
    validation, decisions = night.episodes("validation"), weekly_decisions(night, n_weeks)
    costs = np.array(night.committed) / MILLIONTHS
    budget = spend * validation.n_transitions
    found: dict[str, WeeklyPolicy] = {}
    for name, fit in LEARNERS.items():
        unpriced = PricedEffects(fit(decisions, baseline=0, seed=0), costs, 0.0)
        found[name] = unpriced.within(budget, validation.features, validation.mask())
    return found


def weekly_decisions(night: SimulatedNight, n_weeks: int) -> FirstDecisions:
    """Return every decision of the training weeks of whose following weeks all are among them, as an experiment.

    Args:
        night: whose weeks.
        n_weeks: that count for a decision, its own among them, discounted as the scenario does.
    """
    log, span = night.log, night.intervals["train"]
    discount = DiscountFunction.of(night.pipeline.scenario.discount)
    n_shoppers, times = int(log.shopper.max()) + 1, night.decision_times
    earned = np.zeros((n_shoppers, len(times) + n_weeks))
    earned[log.shopper, log.week] = log.reward
    outcome = np.zeros(len(log.week))
    for later in range(n_weeks):
        passed = times[np.minimum(log.week + later, len(times) - 1)] - times[log.week]
        factor = discount.since_start(np.full(len(log.week), later), passed)
        outcome += factor * earned[log.shopper, log.week + later]
    last_train = int(np.searchsorted(times, span.end)) - 1
    rows = np.flatnonzero((times[log.week] >= span.start) & (log.week + n_weeks - 1 <= last_train))
    sets = night.action_sets
    return FirstDecisions(
        features=night.encoder.encode({name: values[rows] for name, values in log.seen.items()}),
        mask=sets[1 - log.is_reachable[rows]],
        action=log.action[rows],
        propensity=log.propensity[rows],
        outcome=outcome[rows],
        unit=log.shopper[rows],
    )


def player_of(policy: WeeklyPolicy, night: SimulatedNight) -> Player:
    """Return the policy as one that plays the shop's weeks, seeing what the pipeline's rows show."""

    def over_rows(observation: Columns, mask: BoolArray) -> FloatArray:
        return policy.probabilities(night.encoder.encode(observation), mask)

    probabilities = over_keys(night.settings, over_rows, list(night.vocabulary.names))
    return lambda weeks: weeks.play(probabilities)


def thinned(probabilities: Probabilities, share: float) -> Probabilities:
    """Return a policy of the shop's own columns of whose offers a share is sent, drawn alike."""

    def found(observation: Columns, mask: BoolArray) -> FloatArray:
        chances = share * probabilities(observation, mask)
        chances[:, 0] += 1 - share
        return chances

    return found
