"""Effective sample sizes fall with the share handed over, and floors are crossed where they say."""

from __future__ import annotations

import numpy as np
import pytest

from rl.ope.intervals.intervals import Resampling
from rl.worth.findings import Movement
from rl.worth.mixtures import mixture_sample
from rl.worth.movement import SHARES, Floors, find_movement, spoken
from rl.worth.rules import greedy_rule
from tests.rl.worth.worth_logs import DISCOUNT, make_log, predictions_of

LOG = make_log()
PREDICTIONS = predictions_of(LOG)
GREEDY = greedy_rule(PREDICTIONS, LOG, exploration=0.1)
CURVE = tuple(spoken(share, mixture_sample(GREEDY, share, LOG, PREDICTIONS, discount=DISCOUNT)) for share in SHARES)


def movement(size: float, rewarded: float = 1.0) -> Movement:
    return find_movement(
        GREEDY, LOG, CURVE, floors=Floors(size, rewarded), level=0.95, resampling=Resampling(n_draws=200)
    )


def test_effective_sample_size_falls_and_distance_grows_with_the_share() -> None:
    """Both run one way all along the curve."""
    points = movement(10).points
    sizes = [point.effective_sample_size.value or 0.0 for point in points]
    assert sizes == sorted(sizes, reverse=True)
    assert [point.distance for point in points] == sorted(point.distance for point in points)


def test_distance_at_full_share_is_the_rules_total_variation() -> None:
    """The estimate from logged actions alone is within .03 of the distance of the known distributions."""
    known = 0.5 * np.abs(GREEDY.probabilities - np.array([0.5, 0.3, 0.2])).sum(axis=1).mean()
    assert abs(movement(10).points[-1].distance - known) < 0.03


def test_farthest_is_where_the_floor_lies_between_two_points() -> None:
    """A floor halfway between two points' sizes is crossed between their shares, and holds before and not after."""
    sizes = [point.effective_sample_size for point in CURVE]
    found = movement((sizes[5] + sizes[6]) / 2)
    assert SHARES[5] < (found.farthest.value or 0) < SHARES[6]
    assert (found.points[5].is_enough, found.points[6].is_enough) == (True, False)


@pytest.mark.parametrize(("floor", "expected"), [(1.0, 1.0), (1e6, 0.0)])
def test_farthest_is_everything_or_nothing_at_floors_beyond_the_curve(floor: float, expected: float) -> None:
    """A floor that nothing crosses lets all decisions go, one above the log's own size none."""
    assert movement(floor).farthest.value == expected


def test_rewarded_floor_counts_too() -> None:
    """Enough shoppers alone aren't enough."""
    assert movement(1.0, rewarded=1e6).farthest.value == 0.0
