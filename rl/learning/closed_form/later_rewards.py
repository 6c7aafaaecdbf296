"""What a logged decision brought, later rewards counted less, as far as the log tells it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FloatArray
from rl.learning.replay.replay_columns import CLOSING, ELAPSED, ROW_BELOW, TERMINAL, ReplayColumns

_LEFT_OUT = 0.05
"""Share of a later reward that may lie behind the end of a cut episode before its row is left out."""


@dataclass(frozen=True)
class LaterRewards:
    """Returns of logged decisions.

    Attributes:
        returns: discounted sum of the rewards from each row on, in the scenario's unit, `(n,)`.
        is_told: the log goes on long enough to tell it: to the episode's end, or until little is counted, `(n,)`.
    """

    returns: FloatArray
    is_told: BoolArray


def later_rewards(columns: ReplayColumns, discount: DiscountFunction, lookahead: float) -> LaterRewards:
    """Return each row's return under the log's own policy.

    Args:
        columns: rows of episodes, in order.
        discount: as the spec states it.
        lookahead: multiplies the discount; 0 leaves the reward of the decision itself.
    """
    records = columns.records
    goes_on = records[:, CLOSING] == ROW_BELOW
    goes_on[-1:] = False
    is_cut = ~goes_on & (records[:, TERMINAL] == 0)
    factors = lookahead * _factors(columns, discount)
    returns, behind = columns.reward.copy(), np.where(is_cut, factors, 0.0)
    for row in range(len(returns) - 2, -1, -1):
        if goes_on[row]:
            returns[row] += factors[row] * returns[row + 1]
            behind[row] = factors[row] * behind[row + 1]
    return LaterRewards(returns, behind <= _LEFT_OUT)


def _factors(columns: ReplayColumns, discount: DiscountFunction) -> FloatArray:
    """Return the discount from each row to the next decision, `(n,)`."""
    if discount.parts_of_day is None:
        return np.full(columns.n_transitions, discount.part_factor)
    days = np.ascontiguousarray(columns.records[:, ELAPSED]).view(np.float32).astype(np.float64)
    return np.asarray(discount.part_factor ** (days * discount.parts_of_day))
