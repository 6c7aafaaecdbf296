"""How sure a gain is on validation episodes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rl.data.discount_function import DiscountFunction
from rl.errors import UnsupportedEstimator
from rl.night.validation_gain import gain_in_standard_errors
from rl.ope.report import EvaluationSettings
from tests.rl.ope.tabular_mdp import small_mdp

MDP = small_mdp()
LOGGER, POLICY = MDP.random_policy(1), MDP.random_policy(2)
SETTINGS = EvaluationSettings(DiscountFunction(0.9))


def test_the_loggers_own_policy_gains_nothing() -> None:
    """All weights are 1: no gain, and no error to divide by."""
    log = MDP.log(LOGGER, n_episodes=500, seed=1)
    assert gain_in_standard_errors(LOGGER, log, SETTINGS) == pytest.approx(0.0, abs=1e-6)


def test_a_gain_is_as_many_errors_as_the_root_of_the_log_allows() -> None:
    """Four times the log, twice the certainty: within a third, as the error itself is estimated."""
    small, large = (
        gain_in_standard_errors(POLICY, MDP.log(LOGGER, n_episodes=n, seed=5), SETTINGS) for n in (2_000, 32_000)
    )
    truth = MDP.exact_value(POLICY, gamma=0.9) - MDP.exact_value(LOGGER, gamma=0.9)
    assert (small > 0) == (large > 0) == (truth > 0)
    assert abs(large) > 2 * abs(small)


def test_an_unweighted_log_is_refused() -> None:
    log = MDP.log(LOGGER, n_episodes=50, seed=1)
    with pytest.raises(UnsupportedEstimator, match="no propensities"):
        gain_in_standard_errors(POLICY, replace(log, propensity=log.propensity * float("nan")), SETTINGS)
