"""A log seen as an experiment: each shopper's first decision, and what came of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.errors import UnsupportedEstimator
from rl.ope.effects.first_decisions import first_decisions
from tests.rl.ope.tabular_mdp import small_mdp

GAMMA = 0.8


def test_each_shopper_counts_once_with_the_return_of_the_first_episode() -> None:
    """Checked by hand on every shopper of a log of several episodes each, some of several steps."""
    mdp = small_mdp(end_probability=0.3)
    log = mdp.log(mdp.random_policy(1), n_episodes=60, seed=3, max_steps=5, n_units=20)
    log = replace(log, metrics={"carts": np.arange(log.n_transitions, dtype=np.float64)})
    found = first_decisions(log, DiscountFunction(GAMMA))
    assert found.n == len(set(log.unit.tolist())) == len(set(found.unit.tolist()))
    for place, unit in enumerate(found.unit):
        own = [one for one in range(log.n_episodes) if log.unit[one] == unit]
        first = min(own, key=lambda one: (log.start_time[one], one))
        rows = np.arange(log.offsets[first], log.offsets[first + 1])
        assert found.outcome[place] == pytest.approx(sum(log.reward[rows] * GAMMA ** np.arange(len(rows))))
        assert found.action[place] == log.action[rows[0]]
        assert found.propensity[place] == log.propensity[rows[0]]
    carts = first_decisions(log, DiscountFunction(1.0), outcome="carts", steps=1)
    starts = {int(log.unit[one]): log.offsets[one] for one in reversed(range(log.n_episodes))}
    if (np.diff(log.start_time) >= 0).all():
        assert carts.outcome.tolist() == [float(starts[int(unit)]) for unit in carts.unit]


def test_days_discount_by_the_time_that_passed() -> None:
    """A step of one day counts as a day does, whatever its number."""
    mdp = small_mdp(end_probability=0.3)
    log = mdp.log(mdp.random_policy(1), n_episodes=20, seed=3, max_steps=5)
    daily = replace(log, elapsed_microseconds=np.full(log.n_transitions, 86_400_000_000, dtype=np.int64))
    by_day = first_decisions(daily, DiscountFunction(GAMMA, "day")).outcome
    np.testing.assert_allclose(by_day, first_decisions(daily, DiscountFunction(GAMMA)).outcome)


def test_unknown_propensities_are_refused() -> None:
    """Of first decisions alone: what came later is the log's own policy, whoever knows its probabilities."""
    mdp = small_mdp(end_probability=0.3)
    log = mdp.log(mdp.random_policy(1), n_episodes=20, seed=3, max_steps=5)
    later = replace(log, propensity=np.where(log.step > 0, np.nan, log.propensity))
    assert first_decisions(later, DiscountFunction(GAMMA)).n == 20
    unknown = replace(log, propensity=np.where(log.step == 0, np.nan, log.propensity))
    with pytest.raises(UnsupportedEstimator, match="20 of 20 first decisions have no known propensity"):
        first_decisions(unknown, DiscountFunction(GAMMA))
