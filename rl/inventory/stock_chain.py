"""What a policy costs in the long run, exactly: the stationary distribution of the stock that it keeps.

All states that the policy can reach are listed, so nothing is cut but demand's own tail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import InventoryError
from rl.inventory.demand import DemandDistribution
from rl.inventory.stock import OrderingPolicy, StockRules, StockStates, checked_orders

_BITS = 62
_MOST_STEPS = 200_000
_MOST_PERIODS = 20  # of the largest demand, for each period until an order arrives: nobody keeps so much


@dataclass(frozen=True)
class LongRun:
    """A policy in the long run.

    Attributes:
        cost: per period, in money.
        service: share of demand that is met.
        stock_out: share of periods whose demand exceeds the stock.
        left_over: mean units left over after a period.
        n_states: states that the policy reaches from an empty stock.
    """

    cost: float
    service: float
    stock_out: float
    left_over: float
    n_states: int


def long_run(
    policy: OrderingPolicy, rules: StockRules, demand: DemandDistribution, *, most_states: int = 300_000
) -> LongRun:
    """Return the policy's averages per period over an endless run that starts with nothing on hand or on the way.

    Args:
        policy: decides on stock alone; it is asked for states without features.
        rules: lead time and costs.
        demand: of a period, independent of all others.
        most_states: more than this are refused.

    Raises:
        InventoryError: the policy orders without end, or reaches too many states.
    """
    states, orders = _reachable(policy, rules, demand, most_states)
    share = _stationary(_transitions(states, orders, demand))
    stock = states[:, 0]
    left_over = float(share @ demand.expected_left_over(int(stock.max()) + 1)[stock])
    sales = float(share @ stock) - left_over
    exceeds = np.append(1.0 - demand.cumulative, 0.0)[np.minimum(stock, demand.largest + 1)]
    lost = max(demand.mean - sales, 0.0)
    return LongRun(
        cost=rules.holding_cost * left_over + rules.penalty * lost,
        service=sales / demand.mean if demand.mean > 0 else 1.0,
        stock_out=float(share @ exceeds),
        left_over=left_over,
        n_states=len(states),
    )


def _reachable(
    policy: OrderingPolicy, rules: StockRules, demand: DemandDistribution, most_states: int
) -> tuple[IntArray, IntArray]:
    """Return all states `(n_states, lead_time)` in ascending order of their codes, and the order in each."""
    most_units = _MOST_PERIODS * (rules.lead_time + 1) * max(demand.largest, 1)
    frontier = np.zeros((1, rules.lead_time), dtype=np.int64)
    codes = _codes(frontier)
    found, ordered = [frontier], [checked_orders(policy, StockStates(frontier))]
    while len(frontier):
        following = _following(frontier, ordered[-1], demand)[0]
        new, first = np.unique(_codes(following), return_index=True)
        is_new = ~np.isin(new, codes, assume_unique=True)
        frontier = following[first[is_new]]
        if len(frontier) and int(frontier.sum(axis=1).max()) > most_units:
            raise InventoryError(
                f"{type(policy).__name__} reaches more than {most_units} units, on hand and on the way, more than any "
                "demand of so many periods; it orders without end: limit what it orders"
            )
        codes = np.concatenate([codes, new[is_new]])
        if len(codes) > most_states:
            raise InventoryError(
                f"{type(policy).__name__} reaches more than {most_states} states of stock; limit what it orders, or "
                "raise most_states"
            )
        if len(frontier):
            found.append(frontier)
            ordered.append(checked_orders(policy, StockStates(frontier)))
    order = np.argsort(codes)
    return np.concatenate(found)[order], np.concatenate(ordered)[order]


def _following(states: IntArray, orders: IntArray, demand: DemandDistribution) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the states after each possible demand, the row each comes from, and its chance."""
    stock = states[:, 0]
    n_outcomes = np.minimum(stock, demand.largest) + 1
    rows = np.repeat(np.arange(len(states)), n_outcomes)
    sold = np.arange(len(rows)) - np.repeat(np.cumsum(n_outcomes) - n_outcomes, n_outcomes)
    is_all = sold == stock[rows]
    # What sells the stock out is any demand from there on.
    at_least = 1.0 - demand.cumulative + demand.probabilities
    chances = np.where(is_all, at_least[np.minimum(sold, demand.largest)], demand.probabilities[sold])
    following = np.column_stack([states[rows, 1:], orders[rows]])
    following[:, 0] += stock[rows] - sold
    is_possible = chances > 0
    return following[is_possible], rows[is_possible], chances[is_possible]


def _transitions(states: IntArray, orders: IntArray, demand: DemandDistribution) -> csr_array:
    following, rows, chances = _following(states, orders, demand)
    columns = np.searchsorted(_codes(states), _codes(following))
    sums = np.bincount(rows, chances, minlength=len(states))
    return csr_array((chances / sums[rows], (rows, columns)), shape=(len(states), len(states)))


def _stationary(transitions: csr_array) -> FloatArray:
    """Return the long-run share of each state from state 0 on, `(n_states,)`."""
    backwards = csr_array(transitions.T)
    share = np.zeros(transitions.shape[0])
    share[0] = 1.0  # nothing anywhere has the least code
    for _ in range(_MOST_STEPS):
        after = backwards @ share
        # Halfway between both: a chain that goes round in circles then settles too, on the same shares.
        if float(np.abs(after - share).sum()) < 1e-12:
            return np.asarray(after / after.sum())
        share = (share + after) / 2
    raise InventoryError(
        f"the stock didn't settle within {_MOST_STEPS} steps; the policy mixes too slowly to be judged"
    )


def _codes(states: IntArray) -> IntArray:
    """Return one number for each state, `(n,)`."""
    bits = _BITS // states.shape[1]
    if len(states) and int(states.max()) >= 1 << bits:
        raise InventoryError(f"a stock of {int(states.max())} units is beyond what {bits} bits hold")
    codes = np.zeros(len(states), dtype=np.int64)
    for column in states.T:
        codes = (codes << bits) | column
    return codes
