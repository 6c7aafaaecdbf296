"""Distances from the log, against distances that are known."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import FloatArray
from rl.data.shopper_segments import Segment
from rl.errors import UnsupportedEstimator
from rl.night.explanation.departures import Departures, departures

N = 6000


def distributions(seed: int) -> tuple[FloatArray, FloatArray]:
    """Behavior and evaluation probabilities at each decision, `(N, 5)`; further apart in the second half."""
    generator = np.random.default_rng(seed)
    behavior = generator.dirichlet(np.ones(5), N)
    other = generator.dirichlet(np.ones(5), N)
    mixing = np.where(np.arange(N) < N // 2, 0.2, 0.8)[:, None]
    return behavior, (1 - mixing) * behavior + mixing * other


def found_departures(seed: int) -> tuple[Departures, FloatArray]:
    """Departures from a log drawn from the behavior policy, and the true distance at each decision."""
    behavior, evaluation = distributions(seed)
    generator = np.random.default_rng(100 + seed)
    action = (behavior.cumsum(axis=1) < generator.random((N, 1))).sum(axis=1).clip(max=4)
    rows = np.arange(N)
    is_first = rows < N // 2
    segments = (
        Segment("half", "first", is_first),
        Segment("half", "second", ~is_first),
        Segment("size", "small", rows < 10),
    )
    found = departures(evaluation[rows, action], behavior[rows, action], rows // 3, segments=segments)
    return found, np.abs(behavior - evaluation).sum(axis=1) / 2


@pytest.mark.parametrize("seed", range(3))
def test_departures_estimate_the_total_variation_distance(seed: int) -> None:
    """From logged actions alone, the mean distance is met within four standard errors, overall and by segment."""
    found, truth = found_departures(seed)
    assert abs(found.overall.value - truth.mean()) < 4 * found.overall.standard_error
    by_label = {one.label: one.distance for one in found.segments}
    for label, expected in (("first", truth[: N // 2].mean()), ("second", truth[N // 2 :].mean())):
        assert abs(by_label[label].value - expected) < 4 * by_label[label].standard_error


def test_departures_rank_segments_by_distance_with_counts() -> None:
    """The segment where the policy departs most comes first; each says how many decisions and shoppers it rests on."""
    found, _ = found_departures(0)
    assert [one.label for one in found.segments] == ["second", "first"]
    assert [(one.n_decisions, one.n_shoppers) for one in found.segments] == [(N // 2, N // 6)] * 2


def test_departures_leave_out_segments_of_few_shoppers() -> None:
    """A segment of four shoppers is counted, not shown."""
    found, _ = found_departures(0)
    assert found.n_too_small == 1


def test_a_policy_that_does_what_the_log_did_departs_nowhere() -> None:
    """Equal probabilities are at distance 0, whatever was drawn."""
    propensity = np.random.default_rng(0).uniform(0.1, 0.9, 100)
    assert departures(propensity, propensity, np.arange(100), segments=()).overall.value == 0.0


def test_departures_refuse_decisions_without_propensities() -> None:
    """Unknown propensities give the reason, never a number."""
    with pytest.raises(UnsupportedEstimator, match="no propensities"):
        departures(np.full(3, 0.5), np.full(3, np.nan), np.arange(3), segments=())
