from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from rl.exploration.allocation import best_equal_share, soonest_shares

SPREAD = np.array([4.0, 1.0])


def nights(shares: Sequence[float]) -> float:
    """Return nights of two strata whose variance falls as the inverse of their shares."""
    return sum(math.inf if share <= 0 else spread**2 / share for spread, share in zip(SPREAD, shares, strict=True))


def test_shares_follow_neymans_allocation_where_costs_are_alike() -> None:
    found = soonest_shares(nights, np.array([1.0, 1.0]), budget=0.1, max_share=1.0)

    assert found == pytest.approx([0.08, 0.02], rel=0.02)


def test_a_stratum_that_costs_more_gets_less_by_the_root_of_its_cost() -> None:
    found = soonest_shares(nights, np.array([4.0, 1.0]), budget=0.1, max_share=1.0)

    # Cochran (1977), equation 5.24: shares in proportion to spread over the root of the cost.
    assert found[0] / found[1] == pytest.approx(4.0 / 2.0, rel=0.05)
    assert found @ [4.0, 1.0] <= 0.1 + 1e-12


def test_no_share_exceeds_the_largest_or_the_budget() -> None:
    found = soonest_shares(nights, np.array([0.001, 0.001]), budget=1.0, max_share=0.05)

    assert found == pytest.approx([0.05, 0.05], rel=1e-3)
    assert (found <= 0.05).all()


def test_nothing_is_explored_without_a_budget() -> None:
    assert soonest_shares(nights, np.array([1.0, 1.0]), budget=0.0, max_share=0.2).tolist() == [0.0, 0.0]


def test_what_costs_nothing_is_explored_up_to_the_largest_share() -> None:
    assert best_equal_share(nights, np.zeros(2), budget=0.0, max_share=0.2) == pytest.approx(0.2)


def test_an_equal_share_stays_where_more_would_bring_it_later() -> None:
    def least_at_a_tenth(shares: Sequence[float]) -> float:
        return 1 + sum((share - 0.1) ** 2 for share in shares)

    assert best_equal_share(least_at_a_tenth, np.ones(2), budget=1.0, max_share=0.4) == pytest.approx(0.1, rel=0.2)
