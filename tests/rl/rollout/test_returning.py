"""How long shoppers take to come back."""

from __future__ import annotations

import numpy as np
import pytest

from rl.rollout.returning import HISTORY_DAYS, return_days
from rl.rollout.served_values import date_of
from tests.rl.rollout.served import made_rows

LAUNCHED = 20_000


def periodic(period: int, n: int = 1000, *, n_days: int = HISTORY_DAYS, share_of_frequent: float = 0.0) -> int:
    """Days within which most come back, in a shop whose shoppers come every so many days, some every day."""
    shopper = np.arange(n)
    is_frequent = shopper < share_of_frequent * n
    visits = [
        (day, np.flatnonzero(is_frequent | (shopper % period == day % period)))
        for day in range(LAUNCHED - n_days, LAUNCHED + 5)
    ]
    return return_days(made_rows(n, visits), date_of(LAUNCHED))


@pytest.mark.parametrize("period", [1, 7, 14])
def test_it_is_the_period_of_a_shop_that_has_one(period: int) -> None:
    assert periodic(period) == period


def test_few_who_come_more_often_do_not_hide_the_others() -> None:
    assert periodic(14, share_of_frequent=0.5) == 14
    assert periodic(14, share_of_frequent=0.9) == 1


def test_where_nobody_came_back_it_is_all_that_is_known() -> None:
    assert periodic(40, n_days=28) == HISTORY_DAYS
    assert periodic(7, n_days=0) == HISTORY_DAYS
    assert periodic(7, n=90) == HISTORY_DAYS  # too few to tell
