"""Weights under every fit of estimated propensities, and what their scatter adds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.ope.estimators.registry import estimator
from rl.ope.estimators.weight_refits import WeightRefits, extra_errors, refitted_value
from rl.ope.propensities.behavior_policy import PropensityRepeats
from rl.ope.propensities.cross_fit_variance import cross_fit_variance
from rl.ope.samples.q_function import action_values
from rl.ope.samples.sample import EvaluationSample, evaluation_sample, rows_within
from tests.rl.ope.tabular_mdp import TablePolicy, TableQ, TabularMdp, small_mdp

GAMMA, STEPS = 0.9, 4
N_REPEATS, N_FOLDS = 2, 3


@pytest.fixture(scope="module")
def mdp() -> TabularMdp:
    return small_mdp()


@pytest.fixture(scope="module")
def candidate(mdp: TabularMdp) -> TablePolicy:
    return mdp.random_policy(2)


@pytest.fixture(scope="module")
def repeats(mdp: TabularMdp) -> PropensityRepeats:
    """Propensities as fits with errors of their own would give them."""
    true = behavior_log(mdp).propensity
    rng = np.random.default_rng(0)
    by_repeat, by_model = (
        np.clip(true * np.exp(0.1 * rng.normal(size=(*shape, len(true)))), 0.01, 0.99)
        for shape in ((N_REPEATS,), (N_REPEATS, N_FOLDS))
    )
    return PropensityRepeats(by_repeat, by_model)


@pytest.fixture(scope="module")
def log(mdp: TabularMdp, repeats: PropensityRepeats) -> LoggedEpisodes:
    """The log with the fits' pooled propensities."""
    return replace(behavior_log(mdp), propensity=repeats.pooled())


def behavior_log(mdp: TabularMdp) -> LoggedEpisodes:
    return mdp.log(mdp.random_policy(1, sharpness=0.7), n_episodes=400, seed=0, n_units=150)


def sample(mdp: TabularMdp, policy: TablePolicy | None, log: LoggedEpisodes) -> EvaluationSample:
    values = action_values(
        TableQ(0.5 * mdp.exact_q(policy or mdp.random_policy(1), gamma=GAMMA)), policy or mdp.random_policy(1), log
    )
    return evaluation_sample(policy, log, discount=DiscountFunction(GAMMA), steps=STEPS, values=values)


@pytest.mark.parametrize("name", ["pdis", "wpdis", "dr", "wdr"])
def test_refitted_values_are_those_of_the_log_with_the_fits_propensities(
    mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes, repeats: PropensityRepeats, name: str
) -> None:
    """Under every fit, the value is what evaluating the log with that fit's propensities gives."""
    refits = WeightRefits.of(repeats, rows_within(log, STEPS))
    found = refitted_value(sample(mdp, candidate, log), name, refits)

    def value(propensity: FloatArray) -> float:
        return estimator(name).per_unit_sums(sample(mdp, candidate, replace(log, propensity=propensity))).value()

    np.testing.assert_allclose(found.by_repeat, [value(each) for each in repeats.by_repeat], rtol=1e-12)
    np.testing.assert_allclose(
        found.by_model, [[value(each) for each in models] for models in repeats.by_model], rtol=1e-12
    )


def test_a_gain_over_the_behavior_policy_scatters_as_the_value_does(
    mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes, repeats: PropensityRepeats
) -> None:
    """Its own weights are 1 whatever was estimated: nothing is added to its value, and all of it to the gain's."""
    refits = WeightRefits.of(repeats, rows_within(log, STEPS))
    both = (sample(mdp, candidate, log), sample(mdp, None, log))
    found = extra_errors(both, (refits, None), "dr")
    refitted = refitted_value(both[0], "dr", refits)
    expected = cross_fit_variance(
        estimator("dr").per_unit_sums(both[0]).value(), by_repeat=refitted.by_repeat, by_model=refitted.by_model
    ).extra_standard_error
    assert found.baseline == 0.0
    assert found.candidate == pytest.approx(expected, rel=1e-12) != 0.0
    assert found.gain == pytest.approx(expected, rel=1e-9)


def test_a_gain_over_an_equal_policy_hangs_on_no_fit(
    mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes, repeats: PropensityRepeats
) -> None:
    """Fits are paired: what they do to both sides alike cancels."""
    refits = WeightRefits.of(repeats, rows_within(log, STEPS))
    same = sample(mdp, candidate, log)
    found = extra_errors((same, same), (refits, refits), "wpdis")
    assert found.candidate == found.baseline > 0.0
    assert found.gain == 0.0


def test_nothing_is_added_to_logged_propensities(mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes) -> None:
    """Without refits all extra errors are 0."""
    found = extra_errors((sample(mdp, candidate, log), sample(mdp, None, log)), (None, None), "dr")
    assert (found.candidate, found.baseline, found.gain) == (0.0, 0.0, 0.0)


def test_a_sample_that_cannot_be_weighted_gives_its_reason(
    mdp: TabularMdp, candidate: TablePolicy, log: LoggedEpisodes, repeats: PropensityRepeats
) -> None:
    """No refits stand in for propensities that nobody knows."""
    blind = sample(mdp, candidate, replace(log, propensity=np.full(log.n_transitions, np.nan)))
    with pytest.raises(UnsupportedEstimator, match="no propensities"):
        refitted_value(blind, "dr", WeightRefits.of(repeats, rows_within(log, STEPS)))
