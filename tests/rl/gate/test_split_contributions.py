"""Units' parts in a gain over all splits, on logs of a small shop with known dynamics."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import MICROSECONDS_PER_DAY, LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.gate.split_contributions import PolicyOnSplits, SplitContributions, split_contributions
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import EvaluationSettings, evaluate_policies
from tests.rl.ope.tabular_mdp import TablePolicy, small_mdp

MDP = small_mdp()
BEHAVIOR_POLICY = MDP.random_policy(1, sharpness=0.5)
CANDIDATE, CHAMPION = (MDP.random_policy(seed, sharpness=0.5) for seed in (2, 3))
SETTINGS = EvaluationSettings(
    DiscountFunction(0.9), steps=20, estimators=("dr",), fqe=FqeSettings(method="linear", ridge=0.1)
)


def log(n_episodes: int, seed: int, *, since: int = 0) -> LoggedEpisodes:
    """Episodes of 100 shoppers, one a microsecond."""
    found = MDP.log(BEHAVIOR_POLICY, n_episodes=n_episodes, seed=seed, n_units=100)
    return replace(found, start_time=since + np.arange(n_episodes))


TRAIN, VALIDATION, TEST = log(800, 1), log(200, 2, since=800), log(400, 3, since=1000)


def found(
    *, train: LoggedEpisodes = TRAIN, champion: TablePolicy | None = None, estimator: str = "dr"
) -> SplitContributions:
    compared = [PolicyOnSplits("candidate", CANDIDATE, (train, VALIDATION), TEST)]
    if champion is not None:
        compared.append(PolicyOnSplits("champion", champion, (train, VALIDATION), TEST))
    return split_contributions(compared, settings=SETTINGS, estimator=estimator)


def test_a_unit_stands_once_in_each_window_of_the_test_split_s_length() -> None:
    """A training split of twice its length is two windows; every episode counts once."""
    parts = found()
    assert len(parts.contribution) == 4 * 100
    assert parts.n_episodes[parts.is_test].tolist() == [4.0] * 100
    assert sorted(parts.n_episodes[~parts.is_test].tolist()) == [2.0] * 100 + [4.0] * 200
    assert abs(float(parts.contribution.sum())) < 1e-8


@pytest.mark.parametrize(("n_test_blocks", "n_windows"), [(1, 6), (2, 3), (3, 2)])
def test_blocks_that_begin_together_stay_together(n_test_blocks: int, n_windows: int) -> None:
    """Six blocks of weeks in training are as many windows as test blocks go into them, even where those are one."""
    week = 7 * MICROSECONDS_PER_DAY
    train = replace(TRAIN, start_time=week * (np.arange(800) * 6 // 800))
    test = replace(TEST, start_time=week * (6 + np.arange(400) * n_test_blocks // 400))
    parts = split_contributions(
        [PolicyOnSplits("candidate", CANDIDATE, (train,), test)], settings=SETTINGS, estimator="pdis"
    )
    assert parts.is_test.sum() == 100
    assert parts.n_episodes.sum() == 1200
    labels = len(parts.contribution) - 100
    assert labels <= 100 * n_windows
    assert labels > 100 * (n_windows - 1)


def test_parts_are_the_gain_per_episode_of_a_window() -> None:
    """Centred, they add up to the doubly robust gain of the test split less that of all, with Q of other shoppers.

    Both are unbiased for the gain, so they agree with the exact one within four standard errors.
    """
    parts = found(champion=CHAMPION)
    test = parts.contribution[parts.is_test]
    spread = test.std(ddof=1) / np.sqrt(len(test)) / 4
    whole = evaluate_policies({"candidate": CANDIDATE, "champion": CHAMPION}, train=TRAIN, test=TEST, settings=SETTINGS)
    gain = whole.sums["candidate", "dr"].value() - whole.sums["champion", "dr"].value()
    exact = MDP.exact_value(CANDIDATE, gamma=0.9, steps=20) - MDP.exact_value(CHAMPION, gamma=0.9, steps=20)
    assert abs(test.sum() / 400 + exact - gain) < 4 * spread


def test_a_unit_s_rewards_move_its_part_by_its_weights_alone() -> None:
    """Its own half is valued by the other half's Q-functions; units of its half keep their distances to each other."""
    row = int(TRAIN.offsets[7])
    unit = int(TRAIN.unit[7])
    raised = TRAIN.reward.copy()
    raised[row] += 1000.0
    before, after = found(), found(train=replace(TRAIN, reward=raised))
    own = unit * 4  # its first window
    moved = after.contribution - before.contribution
    ratio = CANDIDATE.table[int(TRAIN.mask_index[row]), int(TRAIN.action[row])] / TRAIN.propensity[row]
    # Less the behavior policy's own reward; a unit's part is less the mean gain times its episodes, too.
    others = np.sort(np.abs(np.delete(moved, own) / np.delete(before.n_episodes, own)))
    assert moved[own] == pytest.approx(1000.0 * (ratio - 1), abs=4 * others[-1] + 1e-6)
    by_mean = moved / before.n_episodes
    same_half = np.isclose(by_mean, np.median(by_mean[:200]), rtol=1e-6) | np.isclose(by_mean, others[0], rtol=1e-6)
    assert same_half.sum() >= 4 * 49


def test_units_that_differ_are_counted_once_over_all_splits() -> None:
    """Hundred shoppers stay hundred, however often they come."""
    parts = found()
    assert 20 < parts.n_differing <= 100
    assert found(champion=CANDIDATE).n_differing == 0.0


@pytest.mark.parametrize("estimator", ["wdr", "wpdis", "pdis"])
def test_every_weighted_estimator_has_parts(estimator: str) -> None:
    """Those that divide by weights, and those without a model."""
    assert np.isfinite(found(estimator=estimator).contribution).all()


def test_a_log_that_cannot_be_weighted_has_none() -> None:
    """The reason is the estimator's."""
    with pytest.raises(UnsupportedEstimator, match="propensit"):
        found(train=replace(TRAIN, propensity=np.full(TRAIN.n_transitions, np.nan)))
    one = replace(TEST, unit=np.zeros(TEST.n_episodes, dtype=np.int64))
    with pytest.raises(UnsupportedEstimator, match="halves"):
        split_contributions([PolicyOnSplits("candidate", CANDIDATE, (), one)], settings=SETTINGS, estimator="dr")
