"""Gains over the shop's own rule, where a service made most of the log and true values are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conf.specs.judging import Gate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.figures.values import CONTROL
from rl.gate.evidence import gate_evidence
from rl.night.over_control import FEWEST_SHOPPERS, GainOverControl, control_weights, gain_over_control
from rl.ope.intervals.intervals import Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, evaluate_policies
from tests.rl.ope.tabular_mdp import TablePolicy, small_mdp
from tests.rl.ope.two_loggers import joined

GAMMA, ALPHA, SEASON = 0.9, 0.025, 2.0
MDP = small_mdp(end_probability=0.4)
SHOP = MDP.random_policy(1, sharpness=0.4)
GATE = Gate(wrong_promotions_per_year=4, min_effective_sample_size=50, min_effective_rewarded=50)
SETTINGS = EvaluationSettings(
    discount=DiscountFunction(GAMMA),
    steps=40,
    estimators=("dr",),
    resampling=Resampling(n_draws=200),
    fqe=FqeSettings(method="linear", ridge=0.1),
)


def towards_best(share: float) -> TablePolicy:
    """The shop's rule with a share of its mass moved to the best action of each state."""
    q = np.where(MDP.mask, MDP.exact_q(SHOP, gamma=GAMMA), -np.inf)
    return TablePolicy((1 - share) * SHOP.table + share * np.eye(q.shape[1])[q.argmax(axis=1)])


CHAMPION, CANDIDATE = towards_best(0.4), towards_best(0.7)
TRUE_GAIN = MDP.exact_value(CANDIDATE, gamma=GAMMA) - MDP.exact_value(SHOP, gamma=GAMMA)


def log(seed: int, *, before: int = 1000, held_out: int = 400, served: int = 2600) -> LoggedEpisodes:
    """Days by the shop's rule, then days in a better season of which the champion (`far`) decides most."""
    shop = MDP.log(SHOP, n_episodes=before + held_out, seed=seed)
    champion = MDP.log(CHAMPION, n_episodes=served, seed=seed + 1000)
    found = joined(shop, champion) if served else shop
    rng = np.random.default_rng(seed)
    since = rng.permutation(held_out + served) + before
    start_time = np.concatenate([np.arange(before), since])
    season = np.zeros(found.n_transitions)
    season[found.offsets[:-1]] = np.where(start_time >= before, SEASON, 0.0)
    return replace(found, start_time=start_time, reward=found.reward + season)


def gain(
    test: LoggedEpisodes, *, train_seed: int = 77, alpha: float = ALPHA, baseline: str = "champion"
) -> GainOverControl | None:
    evaluation = evaluate_policies(
        {"candidate": CANDIDATE, "champion": CHAMPION},
        train=log(train_seed),
        test=test,
        settings=SETTINGS,
        keeps_samples=True,
    )
    evidence = gate_evidence(
        evaluation,
        {},
        candidate="candidate",
        baseline=baseline,
        estimator="dr",
        gate=GATE,
        alpha=alpha,
        unit_of_value="points",
    )
    return gain_over_control(evidence, evaluation, test, is_ours=lambda name: name == "far", alpha=alpha)


def test_intervals_hold_the_true_gain_over_the_shops_rule() -> None:
    """Where the log's own mean is the champion's for the most part, and seasons differ before and since."""
    found = [gain(log(seed)) for seed in range(24)]
    held = [one.interval.lower <= TRUE_GAIN <= one.interval.upper for one in found if one is not None]
    assert len(held) == 24
    assert np.mean(held) >= 0.83
    values = np.array([one.interval.value for one in found if one is not None])
    assert abs(values.mean() - TRUE_GAIN) < 4 * values.std() / np.sqrt(len(values))
    assert {one.baseline for one in found if one is not None} == {CONTROL}


def test_the_logs_own_mean_is_another_baseline() -> None:
    """What the candidate gains over everything that was logged is far from what it gains over the shop's rule."""
    test = log(3)
    over = gain(test)
    assert over is not None
    logged = (
        MDP.exact_value(CANDIDATE, gamma=GAMMA)
        - (1400 * MDP.exact_value(SHOP, gamma=GAMMA) + 2600 * (MDP.exact_value(CHAMPION, gamma=GAMMA))) / 4000
    )
    assert logged < over.interval.lower


def test_a_log_of_the_shops_alone_gives_the_gates_own_gain() -> None:
    test = log(5, served=0)
    found = gain(test, baseline=BEHAVIOR)
    assert found is not None
    assert found.baseline == BEHAVIOR
    assert found.interval.lower <= TRUE_GAIN <= found.interval.upper
    over = gain(test)
    assert over is not None
    assert over.interval.value == pytest.approx(found.interval.value, abs=0.1)


@pytest.mark.parametrize("held_out", [0, FEWEST_SHOPPERS - 1])
def test_without_control_nothing_is_told(held_out: int) -> None:
    """Neither where the service decides for all, nor where too few are left to the shop's rule."""
    assert gain(log(1, before=0, held_out=held_out)) is None


def weights(test: LoggedEpisodes) -> FloatArray:
    return control_weights(test, lambda name: name == "far")


def test_days_count_for_control_as_they_do_for_the_candidate() -> None:
    test = log(2, before=100, held_out=50, served=200)
    weight = weights(test)
    is_since = test.start_time >= 100
    by_shop = test.policy_version[test.offsets[:-1]] == 0
    assert (weight[~by_shop] == 0).all()
    assert weight.sum() == pytest.approx(test.n_episodes)
    assert weight[is_since].sum() == pytest.approx(is_since.sum(), abs=6)  # the first served may come after the first
    assert (weights(log(2, served=0)) == 1).all()
    assert (weights(log(2, held_out=0)) == 0).all()
