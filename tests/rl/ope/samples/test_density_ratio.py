from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.ope.density_ratios import minimax as density_ratio_minimax
from rl.ope.density_ratios.fitting import RatioSettings, fit_density_ratios
from rl.ope.density_ratios.minimax import fit_basis, fit_minimax
from rl.ope.density_ratios.tabular import fit_tabular, index_states
from rl.ope.intervals.partial_sums import episode_batches
from rl.ope.samples.density_ratio import unit_folds
from rl.ope.samples.sample import evaluation_sample
from tests.rl.ope.estimators.test_marginalized_importance_sampling import occupancy, value_of
from tests.rl.ope.tabular_mdp import TablePolicy, small_mdp

GAMMA = 0.9
DISCOUNT = DiscountFunction(GAMMA)
MDP = small_mdp()
BEHAVIOR, POLICY = MDP.random_policy(1), MDP.random_policy(2)


@dataclass(frozen=True)
class PlacedPolicy:
    """A table policy that tells the state by its nearest place in the plane."""

    places: FloatArray
    table: FloatArray
    version: str = "placed"

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        state = np.square(features[:, None, :] - self.places).sum(axis=2).argmin(axis=1)
        return np.where(mask, self.table[state], 0.0)


def log_of(n_episodes: int = 200, **kwargs: int) -> LoggedEpisodes:
    return MDP.log(BEHAVIOR, n_episodes=n_episodes, seed=kwargs.pop("seed", 1), **kwargs)


def all_of(log: LoggedEpisodes) -> BoolArray:
    return np.ones(log.n_episodes, dtype=bool)


@pytest.mark.parametrize("method", ["auto", "tabular", "linear"])
def test_ratios_of_states_are_those_of_closed_form_occupancies(method: str) -> None:
    """On 40,000 episodes each state's ratio, and each pair's, is within 6% of the exact one.

    The rarest pair is logged some 1,500 times: four of its standard errors are about a tenth of its ratio's, and the
    seed is fixed.
    """
    log = log_of(40_000)
    settings = RatioSettings(method=method)  # type: ignore[arg-type]  # the parameters are its literals
    found = fit_density_ratios(POLICY, log, discount=DISCOUNT, settings=settings).ratios(POLICY, log)
    visits = occupancy(MDP, POLICY, gamma=GAMMA)
    by_state = visits / occupancy(MDP, BEHAVIOR, gamma=GAMMA)
    state = log.features.argmax(axis=1)
    np.testing.assert_allclose(found.state, by_state[state], rtol=0.06)
    by_pair = by_state[:, None] * np.divide(POLICY.table, BEHAVIOR.table, where=MDP.mask, out=np.zeros(MDP.mask.shape))
    np.testing.assert_allclose(found.state_action, by_pair[state, log.action], rtol=0.06)
    np.testing.assert_allclose(found.expected_length, visits.sum(), rtol=0.02)


def test_ratios_by_step_are_those_of_exact_state_distributions() -> None:
    """Over three steps the ratio at each step is that of the two policies' state distributions at that step."""
    log = log_of(40_000)
    found = fit_density_ratios(POLICY, log, discount=DISCOUNT, steps=3).ratios(POLICY, log)
    here = dict.fromkeys(("policy", "behavior"), MDP.start)
    for step in range(3):
        rows = log.step == step
        exact = here["policy"] / here["behavior"]
        np.testing.assert_allclose(found.state[rows], exact[log.features.argmax(axis=1)][rows], rtol=0.06)
        for name, policy in (("policy", POLICY), ("behavior", BEHAVIOR)):
            here[name] = here[name] @ np.einsum("sa,sat->st", policy.table, MDP.dynamics[:, :, :-1])
    assert not found.state[log.step >= 3].any()


def test_steps_past_nearly_all_visits_need_one_ratio_only() -> None:
    """Over 60 steps, when episodes of 3 steps end, ratios are those without a last step; over 3 they aren't."""
    log = log_of(2000)
    whole, long, short = (
        fit_density_ratios(POLICY, log, discount=DISCOUNT, steps=steps).ratios(POLICY, log) for steps in (None, 60, 3)
    )
    np.testing.assert_allclose(long.state, whole.state, rtol=1e-3)
    assert long.method == whole.method != short.method


def test_minimax_on_one_hot_pairs_counts() -> None:
    """Without a discount and with one function a pair the closed form solves the counted flow exactly."""
    log, factors = log_of(400), np.ones(log_of(400).n_transitions)
    index = index_states(log, max_states=10)
    assert index is not None
    counted = fit_tabular(POLICY, log, all_of(log), index=index, factors=factors, steps=None)
    basis = fit_basis(log.features, kind="linear")
    solved = fit_minimax(POLICY, log, all_of(log), basis=basis, factors=factors, ridge=1e-12)
    expected, found = counted.ratios(POLICY, log), solved.ratios(POLICY, log)
    np.testing.assert_allclose(found.state_action, expected.state_action, rtol=1e-5)


def test_ratios_of_states_are_fitted_alone_where_pairs_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratio of states is the same to the digit; that of pairs is a refusal, and beyond that many functions all."""
    log, settings = log_of(400), RatioSettings("linear")
    whole = fit_density_ratios(POLICY, log, discount=DISCOUNT, settings=settings).ratios(POLICY, log)
    assert whole.pair_refusal is None
    n_functions = log.features.shape[1] + 1
    monkeypatch.setattr(density_ratio_minimax, "_MAX_BASIS", n_functions)
    alone = fit_density_ratios(POLICY, log, discount=DISCOUNT, settings=settings).ratios(POLICY, log)
    np.testing.assert_allclose(alone.state, whole.state, rtol=1e-9)
    assert "too many for a ratio of states and actions" in str(alone.pair_refusal)
    monkeypatch.setattr(density_ratio_minimax, "_MAX_BASIS", n_functions - 1)
    with pytest.raises(UnsupportedEstimator, match="too many for a ratio of states; give fewer"):
        fit_density_ratios(POLICY, log, discount=DISCOUNT, settings=settings)


def test_fourier_features_follow_a_curved_ratio() -> None:
    """With states as places in the plane, of which no ratio is linear, values are within 5% of the exact one."""
    places = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    log = log_of(20_000)
    moved = replace(log, features=log.features @ places, next_features=log.next_features @ places)
    policy = PlacedPolicy(places.astype(np.float64), POLICY.table)
    settings = RatioSettings(method="fourier", n_fourier=30)
    ratios = fit_density_ratios(policy, moved, discount=DISCOUNT, settings=settings).ratios(policy, moved)
    sample = replace(evaluation_sample(policy, moved, discount=DISCOUNT), density_ratios=ratios)
    truth = MDP.exact_value(POLICY, gamma=GAMMA)
    assert value_of("mis_s", sample) == pytest.approx(truth, rel=0.05)
    assert value_of("mis_sa", sample) == pytest.approx(truth, rel=0.05)


def test_a_unit_has_no_say_in_its_own_ratios() -> None:
    """Shuffling the actions of one unit moves the ratios of other units only."""
    log = log_of(120, n_units=20)
    own = np.repeat(log.unit == 7, log.lengths)
    open_to_all = replace(log, availability=np.ones_like(log.availability))
    changed = replace(open_to_all, action=np.where(own, (log.action + 1) % 3, log.action))
    policy = TablePolicy(np.full((4, 3), 1 / 3))
    before, after = (
        fit_density_ratios(policy, each, discount=DISCOUNT).ratios(policy, each) for each in (open_to_all, changed)
    )
    np.testing.assert_allclose(after.state[own], before.state[own])
    assert np.abs(after.state[~own] - before.state[~own]).max() > 1e-6


def test_folds_do_not_depend_on_who_else_is_asked() -> None:
    """A unit's fold is its own wherever the log is divided, and folds are about equally large."""
    units = np.arange(10_000)
    folds = unit_folds(units, n_folds=5, seed=3)
    np.testing.assert_array_equal(unit_folds(units[123:456], n_folds=5, seed=3), folds[123:456])
    assert np.abs(np.bincount(folds) - 2000).max() < 4 * np.sqrt(10_000 * 0.2 * 0.8)
    assert (unit_folds(units, n_folds=5, seed=4) != folds).mean() > 0.5


def test_ratios_of_a_part_are_those_of_the_whole() -> None:
    """A fitted model gives each row the same ratio in any part of the log."""
    log = log_of(100, n_units=30)
    model = fit_density_ratios(POLICY, log, discount=DISCOUNT, steps=4)
    parts = [model.ratios(POLICY, batch) for batch in episode_batches(log, max_rows=40)]
    np.testing.assert_array_equal(np.concatenate([part.state for part in parts]), model.ratios(POLICY, log).state)


def test_decisions_that_the_log_never_took_are_counted_as_outside() -> None:
    """Without one of two actions in a log, half of a uniform policy's decisions lie outside."""
    log = log_of(400)
    open_to_all = replace(log, availability=np.ones_like(log.availability))
    one_action = replace(open_to_all, action=np.zeros_like(log.action))
    half = TablePolicy(np.tile([0.5, 0.5, 0.0], (4, 1)))
    found = fit_density_ratios(half, one_action, discount=DISCOUNT).ratios(half, one_action)
    assert found.share_outside == pytest.approx(0.5)


def test_states_that_differ_in_what_is_available_are_two() -> None:
    """The same observation with another availability set is another state."""
    log = log_of(50)
    blank = replace(log, features=np.zeros_like(log.features), next_features=np.zeros_like(log.features))
    found = index_states(blank, max_states=10)
    assert found is not None
    assert found.n_states == len(np.unique(np.concatenate([log.mask_index, log.next_mask_index[~log.terminal]])))


@pytest.mark.parametrize(
    ("settings", "steps", "reason"),
    [
        (RatioSettings(method="tabular", max_states=3), None, "more than 3 distinct states"),
        (RatioSettings(max_states=3), 2, "changes from step to step"),
        (RatioSettings(n_folds=5), None, "too few for 5 folds"),
    ],
)
def test_a_log_that_gives_no_ratios_is_refused(settings: RatioSettings, steps: int | None, reason: str) -> None:
    """Too many states, steps without counting, and too few units, each with its reason."""
    log = log_of(60, n_units=3 if "folds" in reason else 60)
    with pytest.raises(UnsupportedEstimator, match=reason):
        fit_density_ratios(POLICY, log, discount=DISCOUNT, steps=steps, settings=settings)


def test_visits_without_an_end_are_refused() -> None:
    """A policy that never leaves, undiscounted, has no number of visits."""
    endless = replace(MDP, dynamics=np.concatenate([MDP.dynamics[:, :, :-1] / 0.65, np.zeros((4, 3, 1))], axis=2))
    log = endless.log(BEHAVIOR, n_episodes=60, seed=0, max_steps=30)
    with pytest.raises(UnsupportedEstimator, match="grow without bound"):
        fit_density_ratios(POLICY, log, discount=DiscountFunction(1.0))


def test_a_log_without_propensities_gives_no_ratios() -> None:
    """The reason is that of weighting."""
    unknown = replace(log_of(60), propensity=np.full(log_of(60).n_transitions, np.nan))
    with pytest.raises(UnsupportedEstimator, match="no propensities"):
        fit_density_ratios(POLICY, unknown, discount=DISCOUNT)
