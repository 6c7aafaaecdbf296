"""How long shoppers take to come back: what a version does to that can't be seen earlier."""

from __future__ import annotations

from datetime import date

import numpy as np

from rl.rollout.comparison import LEAST_SHOPPERS
from rl.rollout.served_values import NEVER, ServedRows, day_number, first_days

HISTORY_DAYS = 28
"""Days before a launch of which it is read who was known, and how soon shoppers came back."""

_MOST = 0.8


def return_days(rows: ServedRows, launched: date) -> int:
    """Return within how many days four in five came back, of the shoppers who did so before the launch.

    Counted from a shopper's first day in the earlier half of what is known, so that long absences are seen too; all
    `HISTORY_DAYS` where fewer than `LEAST_SHOPPERS` came back.

    Args:
        rows: from before the launch on.
        launched: first day of the launch.
    """
    end = day_number(launched)
    earlier = rows.between(end - HISTORY_DAYS, end - 1)
    if not len(earlier.day):
        return HISTORY_DAYS
    began = int(earlier.day[0])
    first = first_days(earlier)
    second = first_days(earlier, earlier.day > first[earlier.shopper])
    came_back = (second < NEVER) & (first < began + (end - began + 1) // 2)
    if int(came_back.sum()) < LEAST_SHOPPERS:
        return HISTORY_DAYS
    return int(np.quantile((second - first)[came_back], _MOST, method="higher"))
