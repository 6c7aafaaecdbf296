"""Bounds that hold at all looks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from rl.rollout.bounds import anytime_reach, scheduled_reach

LEVEL = 0.05 / 3


def crossings(persistence: float, *, n_looks: int = 60, n_paths: int = 4000) -> float:
    """Share of paths of an effect of 0 that cross the bound at any look; shoppers differ for good, and by the day."""
    generator = np.random.default_rng(1)
    days = np.arange(1, n_looks + 1)
    lasting = generator.normal(0, persistence, (n_paths, 1))
    found = lasting + np.cumsum(generator.normal(0, 0.1, (n_paths, n_looks)), axis=1) / days
    errors = np.sqrt(persistence**2 + 0.01 / days)
    reach = np.array([anytime_reach(error, level=LEVEL, margin=0.05) for error in errors])
    return float((found > reach).any(axis=1).mean())


@pytest.mark.parametrize("persistence", [0.0, 0.005, 0.02])
def test_the_anytime_bound_is_missed_no_more_often_than_it_says(persistence: float) -> None:
    """At any of 60 daily looks; 4,000 paths, so within three standard deviations of the level."""
    assert crossings(persistence) <= LEVEL + 3 * (LEVEL / 4000) ** 0.5


def test_a_bound_for_one_look_would_be_missed_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the test above catches it."""
    monkeypatch.setitem(globals(), "anytime_reach", lambda error, *, level, **_: error * norm.isf(level))
    assert crossings(0.0) > 3 * LEVEL


def test_it_is_about_half_as_far_again_as_that_of_one_look_where_it_is_tightest() -> None:
    ratio = anytime_reach(0.05 / 3, level=LEVEL, margin=0.05) / (0.05 / 3 * norm.isf(LEVEL))
    assert 1.3 < ratio < 1.6


def test_scheduled_looks_spend_the_level_and_no_more() -> None:
    spent = [float(norm.sf(scheduled_reach(1.0, level=LEVEL, look=look))) for look in range(1, 200)]
    assert spent[0] == pytest.approx(LEVEL / 2)
    assert LEVEL * 0.99 < sum(spent) < LEVEL
