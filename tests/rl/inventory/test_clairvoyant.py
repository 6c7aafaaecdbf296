"""The clairvoyant bound: exact where a solution can be written down, and undercut by no policy."""

from __future__ import annotations

import numpy as np
import pytest

from rl.inventory.clairvoyant import clairvoyant_bound
from rl.inventory.policies.forecast_levels import ForecastBaseStock
from rl.inventory.replay import replayed
from rl.inventory.shared_room import PricedSafety, SharedRoom
from rl.inventory.stock import StockRules

RULES = StockRules(2, 1.0, 9.0)
NOTHING = np.zeros((1, 2), dtype=np.int64)


def test_with_room_for_all_only_what_no_order_can_reach_is_lost() -> None:
    """Orders take two days: the first two days' 7 units are lost, less the 3 that stood there."""
    demand = np.array([[4, 3, 5, 6]])
    opening = np.array([[2, 1]])
    assert clairvoyant_bound(demand, RULES, opening=NOTHING) == pytest.approx(9 * 7 / 4)
    assert clairvoyant_bound(demand, RULES, opening=opening) == pytest.approx(9 * 4 / 4)


def test_room_is_taken_from_the_order_to_the_sale() -> None:
    """A unit is on the way or on the shelf on three days, so 6 units of room let 2 be sold each day."""
    demand = np.full((1, 32), 4)
    found = clairvoyant_bound(demand, RULES, opening=NOTHING, room=np.array([1]), limit=6)
    # All of the first two days, then half of each; the ends are cut, where less is waited for.
    assert found == pytest.approx(9 * (8 + 30 * 2) / 32, rel=0.1)
    assert clairvoyant_bound(demand, RULES, opening=NOTHING, room=np.array([1]), limit=12) == pytest.approx(9 * 8 / 32)


def test_days_that_no_order_comes_by_are_served_by_earlier_ones() -> None:
    demand, waits = np.array([[0, 0, 5, 5, 5]]), np.array([[2, 5, 5, 5, 5]])
    assert clairvoyant_bound(demand, RULES, opening=NOTHING, waits=waits) == pytest.approx(0)
    assert clairvoyant_bound(demand, RULES, opening=NOTHING, waits=waits + 1) == pytest.approx(9 * 5 / 5)


@pytest.mark.parametrize("limit", [40, 90])
def test_no_policy_undercuts_it(limit: int) -> None:
    generator, room = np.random.default_rng(0), np.array([1, 2, 3])
    means = np.array([3.0, 8.0, 5.0])
    demand = generator.poisson(means, (60, 3)).T.astype(np.int64)
    waits = generator.integers(1, 5, demand.shape)
    bound = clairvoyant_bound(
        demand, RULES, opening=np.zeros((3, 2), dtype=np.int64), waits=waits, room=room, limit=limit
    )
    assert bound > 0
    for offset in (-1.0, 0.0, 1.0):
        policy = PricedSafety(lambda safety: ForecastBaseStock(safety, 2), RULES, room, offset)
        units = replayed(
            SharedRoom(policy, room, limit, 0.0, 9.0),
            demand,
            RULES,
            features=np.broadcast_to(means[:, None, None], (3, 60, 3)),
            opening=np.zeros((3, 2), dtype=np.int64),
            waits=waits,
        )
        assert units.cost(RULES).mean() > bound
