"""How much the selected policy gains at each weekly budget, on test episodes, with the doubt about its price in it.

Gain and spend are both valued by the gate's estimator, over all weeks that a value runs over, and told by the week.
What a budget buys is uncertain twice: the policy's value at a price is estimated on test weeks, and the price itself on
validation weeks. Where more money brings more, what a price commits beyond the budget or short of it is an error of the
gain at that budget, by the curve's slope.

Source: the delta method for a curve read at an estimated place; Sverdrup, Wu, Athey and Wager (2024), for the curve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import FloatArray, LoggedEpisodes, Policy
from rl.ope.estimators.registry import ESTIMATORS
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from rl.policy import StochasticPolicy
from rl.policy.offer_prices import MILLIONTHS

SHARES = (0.5, 0.75, 1.0, 1.5, 2.0)
"""Of today's budget: at which the curve is valued."""

NOBODY, COMMITTED, WEEKS = "nobody", "committed", "weeks"


@dataclass(frozen=True)
class WeeklyGain:
    """A policy's weeks, all shoppers together, in currency.

    Attributes:
        name: of the policy.
        spend: committed a week.
        gain: a week, over sending nobody anything.
        error: standard error of the gain; for the candidate, of the gain at the budget.
        behind: the candidate's gain at today's budget less this one's; None for the candidate.
        behind_error: its standard error.
        n_effective: shoppers that its estimate rests on; None where the log isn't weighted for it.
        step: of the candidate at a budget, its gain less that at the next smaller budget; None for all others.
        step_error: its standard error, by the same shoppers at both budgets, the doubt about both prices in it.
    """

    name: str
    spend: float
    gain: float
    error: float
    behind: float | None = None
    behind_error: float | None = None
    n_effective: float | None = None
    step: float | None = None
    step_error: float | None = None


@dataclass(frozen=True)
class GainAtSpend:
    """The curve and what stands beside it.

    Attributes:
        shares: of today's budget, `(n,)`.
        prices: of money, at each.
        curve: of the candidate, at each.
        rules: at today's budget, or all that they can spend; the log's own policy among them.
        n_shoppers: a week, on test weeks.
        quantile: half-widths of intervals in standard errors.
    """

    shares: tuple[float, ...]
    prices: tuple[float, ...]
    curve: tuple[WeeklyGain, ...]
    rules: tuple[WeeklyGain, ...]
    n_shoppers: float
    quantile: float


def gain_at_spend(
    policy: StochasticPolicy,
    rules: Mapping[str, Policy],
    *,
    train: LoggedEpisodes,
    validation: LoggedEpisodes,
    test: LoggedEpisodes,
    n_shoppers: float,
    settings: EvaluationSettings,
    estimator: str,
) -> GainAtSpend | str:
    """Return the curve, or why there is none.

    Each policy has Q-functions of its own, fitted in closed form: there are many, and they only steady the estimates.

    Args:
        policy: the candidate, at today's price.
        rules: at equal spend, `nobody` among them.
        train: Q-functions are fitted here.
        validation: where prices were fixed.
        test: values are estimated here.
        n_shoppers: a week, on test weeks.
        settings: of the evaluation.
        estimator: the gate's.
    """
    prices = policy.prices
    if prices is None or NOBODY not in rules:
        return "the policy holds no prices of offers"
    if not ESTIMATORS[estimator].needs_weights:
        return f"{estimator} weights nothing, so that policies can't be told from what the log did"
    budgets = [round(share * prices.weekly_budget) for share in SHARES]
    at_budget = {
        f"at {share:.0%}": policy.with_prices(prices.at_budget(budget))
        for share, budget in zip(SHARES, budgets, strict=True)
    }
    judged: dict[str, Policy] = {**at_budget, **rules}
    own = replace(settings, estimators=(estimator,), fqe=replace(settings.fqe, method="linear"))
    costs = prices.costs
    fitted, read_on = _with_money(train, costs), _with_money(test, costs)
    values = evaluate_policies(judged, train=fitted, test=read_on, settings=own)
    refused = [one.refusal for one in values.reports if one.estimator == estimator and one.refusal]
    if refused:
        return str(refused[0])
    spends = evaluate_policies(judged, train=fitted, test=read_on, settings=own, outcome=COMMITTED)
    weeks = evaluate_policies({}, train=fitted, test=read_on, settings=own, outcome=WEEKS)
    scale = n_shoppers / weeks.sums[BEHAVIOR, estimator].value()
    read = _Read(values, spends, estimator, scale, _spend_bounds(judged, test, costs, n_shoppers))
    names = list(at_budget)
    gains, spent = np.array([read.gain(name) for name in names]), np.array([read.spend(name) for name in names])
    slopes = _slopes(spent, gains)
    doubts = [
        float(slope) * n_shoppers * _spend_influence(at_budget[name], validation, costs)
        for name, slope in zip(names, slopes, strict=True)
    ]
    curve = tuple(
        WeeklyGain(
            name,
            float(spent[place]),
            float(gains[place]),
            read.error_at_budget(name, _error(doubts[place])),
            step=float(gains[place] - gains[place - 1]) if place else None,
            step_error=read.error_of_step(name, names[place - 1], _error(doubts[place] - doubts[place - 1]))
            if place
            else None,
        )
        for place, name in enumerate(names)
    )
    today = names[SHARES.index(1.0)]
    beside = [*(name for name in rules if name != NOBODY), BEHAVIOR, NOBODY]
    return GainAtSpend(
        shares=SHARES,
        prices=tuple(prices.at_budget(budget).price for budget in budgets),
        curve=curve,
        rules=tuple(read.beside(name, today) for name in beside),
        n_shoppers=n_shoppers,
        quantile=float(ndtri((1 + settings.confidence) / 2)),
    )


@dataclass(frozen=True)
class _Read:
    """Values and influences of policies, by the week; and between what each policy's spend a week must lie."""

    values: PolicyEvaluation
    spends: PolicyEvaluation
    estimator: str
    scale: float
    spend_bounds: Mapping[str, tuple[float, float]]

    def spend(self, name: str) -> float:
        """Return what a policy commits a week: estimated, and never beyond what its own choices can commit.

        An estimate by weights knows what the logged actions committed, not that a policy never sends the dear ones: of
        a cheap reminder to anybody it may be below 0 by chance.
        """
        estimated = self.scale * self.spends.sums[name, self.estimator].value()
        return float(np.clip(estimated, *self.spend_bounds.get(name, (-np.inf, np.inf))))

    def gain(self, name: str) -> float:
        own, nobody = (self.values.sums[one, self.estimator] for one in (name, NOBODY))
        return self.scale * (own.value() - nobody.value())

    def error_at_budget(self, name: str, price_error: float) -> float:
        """Return the standard error of the gain at the budget: of the gain at its price, and of the price."""
        return float(np.hypot(self.scale * _error(self._gain_influence(name)), price_error))

    def error_of_step(self, name: str, before: str, price_error: float) -> float:
        """Return the standard error of the gain at one budget less that at another, of the same shoppers."""
        step = self._influence(self.values, name) - self._influence(self.values, before)
        return float(np.hypot(self.scale * _error(step), price_error))

    def beside(self, name: str, today: str) -> WeeklyGain:
        ahead = self._influence(self.values, today) - self._influence(self.values, name)
        return WeeklyGain(
            name,
            self.spend(name),
            self.gain(name),
            self.scale * _error(self._gain_influence(name)),
            behind=self.gain(today) - self.gain(name),
            behind_error=self.scale * _error(ahead),
            n_effective=None if name == BEHAVIOR else self.values.report(name, self.estimator).effective_sample_size,
        )

    def _gain_influence(self, name: str) -> FloatArray:
        return self._influence(self.values, name) - self._influence(self.values, NOBODY)

    def _influence(self, of: PolicyEvaluation, name: str) -> FloatArray:
        return of.sums[name, self.estimator].influence()


def _spend_bounds(
    policies: Mapping[str, Policy], test: LoggedEpisodes, costs: FloatArray, n_shoppers: float
) -> dict[str, tuple[float, float]]:
    """Return by policy what a week would commit if all shoppers were those of whom it commits least, and most."""
    features, mask = test.features, test.mask()
    each = {name: policy.probabilities(features, mask) @ costs for name, policy in policies.items()}
    return {name: (n_shoppers * float(one.min()), n_shoppers * float(one.max())) for name, one in each.items()}


def _error(influence: FloatArray) -> float:
    n = len(influence)
    return float(np.sqrt(np.square(influence).sum() / (n * (n - 1)))) if n > 1 else float("nan")


def _slopes(spent: FloatArray, gains: FloatArray) -> FloatArray:
    """Return what more money brings at each point, at least 0; points of equal spend share it."""
    order = np.argsort(spent, kind="stable")
    along, level = np.append(0.0, spent[order]), np.append(0.0, gains[order])
    places, first = np.unique(along, return_index=True)
    slope = np.gradient(level[first], places) if len(places) > 1 else np.zeros(1)
    return np.maximum(np.interp(spent, places, slope), 0.0)


def _spend_influence(policy: StochasticPolicy, validation: LoggedEpisodes, costs: FloatArray) -> FloatArray:
    """Return each validation shopper's influence on what a shopper's week commits there, `(n_shoppers,)`, in currency.

    `_error` of them is the standard error of that mean over weeks.
    """
    spend = policy.probabilities(validation.features, validation.mask()) @ costs
    unit = validation.unit[validation.episode]
    total, weeks = np.bincount(unit, spend), np.bincount(unit)
    there = weeks > 0
    found: FloatArray = (total - spend.mean() * weeks)[there] * int(there.sum()) / len(spend)
    return found


def _with_money(episodes: LoggedEpisodes, costs: FloatArray) -> LoggedEpisodes:
    """Return the episodes with what each decision committed, and a week each, among their metrics."""
    added = {COMMITTED: costs[episodes.action], WEEKS: np.ones(episodes.n_transitions)}
    return replace(episodes, metrics={**episodes.metrics, **added})


def weekly_budget(policy: StochasticPolicy) -> float:
    """Return today's budget, in currency; 0 without prices."""
    return 0.0 if policy.prices is None else policy.prices.weekly_budget / MILLIONTHS
