"""A week's list: one action for each shopper, drawn together with the policy's probabilities, within a budget.

The policy's price of money was fixed on earlier weeks. A week whose shoppers would commit more at it is decided at
the least price that keeps its budget; where none does, since exploring alone commits more, the dearest actions are
left out, one after another, and the others have the least price that keeps it. What is drawn has the probabilities
that are returned, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rl.errors import PolicyError
from rl.policy.dependent_rounding import draw_within_budget, largest_difference
from rl.policy.offer_prices import MILLIONTHS, OfferPrices
from rl.policy.stochastic_policy import StochasticPolicy

FloatArray = npt.NDArray[np.float64]
FeatureArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

_N_HALVINGS = 60
_LARGEST_LOG_ODDS = 40.0
"""Beyond these an action's probability is nothing but its share of exploration."""


@dataclass(frozen=True)
class WeeklyList:
    """What was drawn, in the order of the shoppers.

    Attributes:
        index: each shopper's action, `(n,)`.
        propensity: with which probability it was drawn, `(n,)`.
        committed: by each, in millionths, `(n,)`.
        expected: what all were expected to commit together, in currency.
        price: of money, at which the week was decided; at least the policy's own at that budget, unless actions were
            left out.
        left_out: indices of actions that the budget couldn't pay, dearest first.
    """

    index: IntArray
    propensity: FloatArray
    committed: IntArray
    expected: float
    price: float
    left_out: tuple[int, ...]


def draw_weekly_list(
    policy: StochasticPolicy,
    features: FeatureArray,
    mask: BoolArray,
    *,
    weekly_budget: int,
    generator: np.random.Generator,
) -> WeeklyList:
    """Return the week's list: committed together at most the budget, always.

    Args:
        policy: with prices.
        features: of the shoppers, encoded, `(n, n_features)`.
        mask: what each may get, `(n, n_actions)`; the action that offers nothing should be in every row.
        weekly_budget: in millionths of currency, at least 0.
        generator: of the draws.

    Raises:
        PolicyError: a policy without prices, or shoppers whose cheapest actions commit more than the budget.
    """
    if policy.prices is None:
        raise PolicyError(f"policy {policy.name} holds no prices of offers; register a night of a scenario with budget")
    priced = policy.with_prices(policy.prices.at_budget(weekly_budget))
    probabilities, price, left_out = _affordable(priced, features, mask, weekly_budget)
    committed = np.array(policy.prices.committed, dtype=np.int64)
    drawn = draw_within_budget(probabilities, committed.astype(np.float64), float(weekly_budget), generator)
    return WeeklyList(
        index=drawn,
        propensity=probabilities[np.arange(len(drawn)), drawn],
        committed=committed[drawn],
        expected=float((probabilities * committed).sum() / MILLIONTHS),
        price=price,
        left_out=left_out,
    )


def highest_price(policy: StochasticPolicy, outputs: FloatArray) -> float:
    """Return a price of money at which nothing but exploration pays for more than the cheapest action.

    Args:
        policy: with prices.
        outputs: before charges, `(n, n_actions)`.
    """
    prices = _prices_of(policy)
    costs = np.unique(prices.committed) / MILLIONTHS
    if len(costs) < 2 or not len(outputs):
        return 1.0
    spread = float((outputs.max(axis=1) - outputs.min(axis=1)).max())
    reach = spread + _LARGEST_LOG_ODDS * policy.output_scale * policy.temperature
    return reach / (prices.outputs_per_money * float(np.diff(costs).min()))


def _affordable(
    policy: StochasticPolicy, features: FeatureArray, mask: BoolArray, weekly_budget: int
) -> tuple[FloatArray, float, tuple[int, ...]]:
    """Return probabilities that no draw within them can exceed the budget by, the price, and what was left out."""
    prices = _prices_of(policy)
    unpriced = policy.with_prices(prices.at_price(0.0)).outputs(features)
    highest, costs = highest_price(policy, unpriced), np.array(prices.committed, dtype=np.float64)
    permitted = policy.permitted(features, mask)
    left_out: list[int] = []
    for dearest in [None, *np.argsort(-costs, kind="stable").tolist()]:
        if dearest is not None:
            left_out.append(int(dearest))
            without = permitted.copy()
            without[:, dearest] = False
            permitted = np.where(without.any(axis=1, keepdims=True), without, permitted)
        week = _Week(policy, unpriced, policy.considered(features, permitted) & permitted, permitted, costs)
        # The policy's price was fixed for all offers; what is left of them has its own.
        own = 0.0 if left_out else prices.price
        if week.most(own) <= weekly_budget:
            return week.probabilities(own), own, tuple(left_out)
        if week.most(highest) <= weekly_budget:
            price = week.least_price(weekly_budget, own, highest)
            return week.probabilities(price), price, tuple(left_out)
    least = costs[np.where(permitted, costs, np.inf).argmin(axis=1)].sum() / MILLIONTHS
    raise PolicyError(
        f"the cheapest actions of {len(mask)} shoppers commit {least:,.2f}, more than the budget of "
        f"{weekly_budget / MILLIONTHS:,.2f}; let shoppers get an action that commits nothing, or raise the budget"
    )


@dataclass(frozen=True)
class _Week:
    """The week's shoppers as the policy sees them at any price."""

    policy: StochasticPolicy
    unpriced: FloatArray
    considered: BoolArray
    permitted: BoolArray
    costs: FloatArray

    def probabilities(self, price: float) -> FloatArray:
        """Return what the policy does at the price, `(n, n_actions)`."""
        charges = _prices_of(self.policy).at_price(price).charges
        return self.policy.chances(self.unpriced - charges, self.considered, self.permitted)

    def most(self, price: float) -> float:
        """Return what a list drawn at the price may commit at most, in millionths."""
        chances = self.probabilities(price)
        return float((chances * self.costs).sum()) + largest_difference(
            chances, np.broadcast_to(self.costs, chances.shape)
        )

    def least_price(self, weekly_budget: int, low: float, high: float) -> float:
        """Return the least price, up to halving, between one that commits too much and one that doesn't."""
        for _ in range(_N_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self.most(middle) <= weekly_budget else (middle, high)
        return high


def _prices_of(policy: StochasticPolicy) -> OfferPrices:
    if policy.prices is None:
        raise PolicyError(f"policy {policy.name} holds no prices of offers")
    return policy.prices


def refuse_overrun(weekly: WeeklyList, committed: tuple[int, ...], weekly_budget: int) -> None:
    """Raise if a list commits more than the budget, by a sum of whole millionths of its own.

    Raises:
        PolicyError: it does.
    """
    total = sum(committed[action] for action in weekly.index.tolist())
    if total > weekly_budget:
        raise PolicyError(
            f"the list commits {total / MILLIONTHS:,.6f}, the budget is {weekly_budget / MILLIONTHS:,.6f}: nothing was "
            "written; this is a fault of the drawing, not of the data"
        )
