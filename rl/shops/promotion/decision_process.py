"""A finite decision process whose actions also cost money: exact values of policies, and of the best at a price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, diags, eye
from scipy.sparse.linalg import spsolve

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.errors import ShopError

_TIE = 1e-12


@dataclass(frozen=True)
class PolicyWorth:
    """What a policy earns and spends in a mean week, in currency; weeks count for `gamma` to their number."""

    profit: float
    spend: float


@dataclass(frozen=True)
class DecisionProcess:
    """Tables of a finite decision process.

    Attributes:
        rewards: expected profit of a week, `(n_states, n_actions)`, in currency.
        costs: money that an action commits, `(n_states, n_actions)`, in currency.
        transitions: probability of each next state, a sparse `(n_states, n_states)` for each action.
        mask: allowed actions, `(n_states, n_actions)`.
        start: probability of each state at the first decision, `(n_states,)`.
        gamma: what the next week counts for.
    """

    rewards: FloatArray
    costs: FloatArray
    transitions: tuple[csr_matrix, ...]
    mask: BoolArray
    start: FloatArray
    gamma: float

    def __post_init__(self) -> None:
        if not 0 < self.gamma < 1:
            raise ShopError(f"gamma {self.gamma}; expected above 0 and below 1")
        sums = [np.asarray(moves.sum(axis=1)) for moves in self.transitions]
        if not np.allclose(sums, 1) or not np.isclose(self.start.sum(), 1):
            raise ShopError("the probabilities of next states, or of first ones, don't sum to 1")
        if not self.mask.any(axis=1).all():
            raise ShopError("a state allows no action")

    def occupancy(self, table: FloatArray) -> FloatArray:
        """Return how much of all discounted weeks each state has under a policy, `(n_states,)`; they sum to 1.

        Args:
            table: probability of each action, `(n_states, n_actions)`.
        """
        return self._solved(self._moves(table).T, (1 - self.gamma) * self.start)

    def worth(self, table: FloatArray) -> PolicyWorth:
        """Return what a policy earns and spends in a mean discounted week."""
        weeks = self.occupancy(table)[:, None] * table
        return PolicyWorth(float((weeks * self.rewards).sum()), float((weeks * self.costs).sum()))

    def worth_of_weeks(self, table: FloatArray, n_weeks: int) -> PolicyWorth:
        """Return the same of the first weeks alone, weighted by the discount and divided by the weights' sum."""
        moves, state = self._moves(table), self.start
        profit = spend = total = 0.0
        for week in range(n_weeks):
            weight = self.gamma**week
            profit += weight * float(((state[:, None] * table) * self.rewards).sum())
            spend += weight * float(((state[:, None] * table) * self.costs).sum())
            total, state = total + weight, moves.T @ state
        return PolicyWorth(profit / total, spend / total)

    def state_values(self, table: FloatArray, price: float = 0.0) -> FloatArray:
        """Return the discounted profit, less the price times spend, from each state on, `(n_states,)`."""
        return self._solved(self._moves(table), (table * (self.rewards - price * self.costs)).sum(axis=1))

    def action_values(self, table: FloatArray, price: float = 0.0) -> FloatArray:
        """Return the same for each first action, `(n_states, n_actions)`; -inf where it isn't allowed."""
        state_values = self.state_values(table, price)
        ahead = np.stack([moves @ state_values for moves in self.transitions], axis=1)
        return np.where(self.mask, self.rewards - price * self.costs + self.gamma * ahead, -np.inf)

    def best_at_price(self, price: float) -> FloatArray:
        """Return the policy of the most profit less the price times spend, by policy iteration.

        Source: Howard (1960), Dynamic Programming and Markov Processes.
        """
        action = self.myopic_actions(price)
        while True:
            values = self.action_values(self.table_of(action), price)
            rows = np.arange(len(action))
            best = values.argmax(axis=1)
            improves = values[rows, best] > values[rows, action] + _TIE * (1 + np.abs(values[rows, action]))
            if not improves.any():
                return self.table_of(action)
            action = np.where(improves, best, action)

    def myopic_actions(self, price: float) -> IntArray:
        """Return each state's action of the most profit less the price times spend within the week itself."""
        at_once = np.where(self.mask, self.rewards - price * self.costs, -np.inf)
        return np.asarray(at_once.argmax(axis=1))

    def table_of(self, action: IntArray) -> FloatArray:
        """Return the policy of one action a state as a table."""
        return np.eye(self.rewards.shape[1])[action]

    def _moves(self, table: FloatArray) -> Any:
        """Return the probabilities of the next state under a policy, sparse."""
        return sum(diags(table[:, action]) @ moves for action, moves in enumerate(self.transitions))

    def _solved(self, moves: Any, right: FloatArray) -> FloatArray:
        found: FloatArray = spsolve((eye(len(right)) - self.gamma * moves).tocsc(), right)
        return found
