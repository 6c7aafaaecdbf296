"""The best and the myopic policy that spend a budget on average: exact, by prices and by a linear program."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, vstack

from rl.data.logged_episodes import FloatArray
from rl.errors import ShopError
from rl.shops.promotion.decision_process import DecisionProcess, PolicyWorth

_EQUAL = 1e-9


@dataclass(frozen=True)
class BudgetedPolicy:
    """A policy within a budget: each shopper is given one of two tables for good, by lot.

    Attributes:
        worth: of the lottery.
        tables: of which one is drawn, `(n_states, n_actions)` each; the first spends no more than the budget.
        second_share: probability of the second.
        price: at which the two are equally good.
    """

    worth: PolicyWorth
    tables: tuple[FloatArray, FloatArray]
    second_share: float
    price: float


def best_within_budget(process: DecisionProcess, budget: float) -> BudgetedPolicy:
    """Return the policy of the most profit whose mean spend is within the budget, by the price of the budget.

    Each best policy at a price is a corner of the hull of spend and profit; the search walks along the hull's edge over
    the budget until no policy lies above the edge.

    Source: Altman (1999), Constrained Markov Decision Processes, chapter 3 (Lagrangian and occupancy measures).

    Args:
        process: the tables.
        budget: mean committed money a week, in currency.

    Raises:
        ShopError: the budget is below what doing as little as allowed commits.
    """
    dear = process.best_at_price(0.0)
    dear_worth = process.worth(dear)
    if dear_worth.spend <= budget:
        return BudgetedPolicy(dear_worth, (dear, dear), 0.0, 0.0)
    cheap = _cheapest(process)
    cheap_worth = process.worth(cheap)
    if cheap_worth.spend > budget:
        raise ShopError(f"a budget of {budget:g} a week; doing as little as allowed commits {cheap_worth.spend:g}")
    while True:
        price = (dear_worth.profit - cheap_worth.profit) / (dear_worth.spend - cheap_worth.spend)
        table = process.best_at_price(price)
        worth = process.worth(table)
        gain = (worth.profit - price * worth.spend) - (cheap_worth.profit - price * cheap_worth.spend)
        if gain <= _EQUAL * (1 + abs(cheap_worth.profit)):
            return _mixed(budget, (cheap, dear), (cheap_worth, dear_worth), price)
        if worth.spend <= budget:
            cheap, cheap_worth = table, worth
        else:
            dear, dear_worth = table, worth


def best_by_linear_program(process: DecisionProcess, budget: float) -> tuple[PolicyWorth, FloatArray]:
    """Return the same optimum by a linear program over occupancy measures, with its one randomized table.

    Source: Altman (1999), Constrained Markov Decision Processes, theorem 3.3.

    Raises:
        ShopError: the program has no solution: the budget is below what doing as little as allowed commits.
    """
    n_states, n_actions = process.rewards.shape
    allowed = np.flatnonzero(process.mask.ravel())
    state, action = np.divmod(allowed, n_actions)
    leaves = csr_matrix((np.ones(len(allowed)), (state, np.arange(len(allowed)))), (n_states, len(allowed)))
    arrives = vstack(process.transitions).tocsr()[action * n_states + state].T
    found = linprog(
        -process.rewards.ravel()[allowed],
        A_ub=csr_matrix(process.costs.ravel()[allowed]),
        b_ub=[budget],
        A_eq=leaves - process.gamma * arrives,
        b_eq=(1 - process.gamma) * process.start,
        method="highs",
    )
    if found.x is None:
        raise ShopError(f"no policy keeps a budget of {budget:g} a week: {found.message}")
    weeks = np.zeros(n_states * n_actions)
    weeks[allowed] = np.maximum(found.x, 0)
    weeks = weeks.reshape(n_states, n_actions)
    visited = weeks.sum(axis=1, keepdims=True)
    idle = process.mask / process.mask.sum(axis=1, keepdims=True)
    table = np.where(visited > 0, weeks / np.where(visited > 0, visited, 1), idle)
    return PolicyWorth(-float(found.fun), float((weeks * process.costs).sum())), table


def myopic_within_budget(process: DecisionProcess, budget: float) -> BudgetedPolicy:
    """Return the policy that looks at the week alone, at the price at which it spends the budget.

    It knows exactly what every offer does in its week. Between the two prices at which its spend passes the budget, it
    draws lots.

    Raises:
        ShopError: the budget is below what doing as little as allowed commits.
    """
    dear = process.table_of(process.myopic_actions(0.0))
    dear_worth = process.worth(dear)
    if dear_worth.spend <= budget:
        return BudgetedPolicy(dear_worth, (dear, dear), 0.0, 0.0)
    prices = _turning_prices(process)
    low, high = -1, len(prices)
    cheap = _cheapest(process)
    cheap_worth = process.worth(cheap)
    if cheap_worth.spend > budget:
        raise ShopError(f"a budget of {budget:g} a week; doing as little as allowed commits {cheap_worth.spend:g}")
    while high - low > 1:
        middle = (low + high) // 2
        table = process.table_of(process.myopic_actions(prices[middle] + _EQUAL))
        worth = process.worth(table)
        if worth.spend <= budget:
            high, cheap, cheap_worth = middle, table, worth
        else:
            low, dear, dear_worth = middle, table, worth
    return _mixed(budget, (cheap, dear), (cheap_worth, dear_worth), float(prices[min(high, len(prices) - 1)]))


def _cheapest(process: DecisionProcess) -> FloatArray:
    """Return the policy that commits least in every state, and of those the one of the most profit in the week."""
    costs = np.where(process.mask, process.costs, np.inf)
    is_least = costs == costs.min(axis=1, keepdims=True)
    return process.table_of(np.where(is_least, process.rewards, -np.inf).argmax(axis=1))


def _turning_prices(process: DecisionProcess) -> FloatArray:
    """Return the prices above 0 at which two actions of a state are equally good within the week, ascending."""
    found = []
    for one in range(process.rewards.shape[1]):
        for other in range(one):
            more_cost = process.costs[:, one] - process.costs[:, other]
            more = process.rewards[:, one] - process.rewards[:, other]
            differs = (more_cost != 0) & process.mask[:, one] & process.mask[:, other]
            found.append(more[differs] / more_cost[differs])
    prices = np.concatenate(found)
    return np.unique(prices[prices > 0])


def _mixed(
    budget: float, tables: tuple[FloatArray, FloatArray], worths: tuple[PolicyWorth, PolicyWorth], price: float
) -> BudgetedPolicy:
    cheap, dear = worths
    share = (budget - cheap.spend) / (dear.spend - cheap.spend)
    profit = cheap.profit + share * (dear.profit - cheap.profit)
    return BudgetedPolicy(PolicyWorth(profit, budget), tables, share, price)
