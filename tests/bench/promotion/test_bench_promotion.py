"""The benchmark of weekly offers runs on a small log, and its rows hold estimate and truth side by side."""

from __future__ import annotations

import numpy as np
import pytest

from rl.shops.promotion.fixed_policies import fixed_policies
from rl.shops.promotion.simulate import simulate
from rl.shops.promotion.simulated_episodes import MILLIONTHS, episodes_from_simulation
from tests.bench.bench_promotion import mean_with_interval
from tests.bench.promotion.night_trial import NightTrial, Size


@pytest.fixture(scope="module")
def trial() -> NightTrial:
    return NightTrial.of(1, Size(n_shoppers=120, n_truth=150, is_small=True))


def test_the_log_is_the_one_that_the_shop_writes(trial: NightTrial) -> None:
    """Weeks, actions, profit and propensities are those of the simulation that the deliveries come from."""
    episodes = episodes_from_simulation(simulate(trial.night.settings))
    log = trial.night.log
    order = np.lexsort((log.week, log.shopper))
    assert np.array_equal(log.action[order], episodes.action)
    assert np.array_equal(log.reward[order], episodes.profit / MILLIONTHS)
    assert np.array_equal(log.propensity[order], episodes.propensity)


def test_episodes_are_blocks_of_weeks(trial: NightTrial) -> None:
    """Time ends each after four weeks, or sooner where the shopper joins or the log begins in a block."""
    for split in ("train", "validation", "test"):
        episodes = trial.night.episodes(split)
        assert episodes.lengths.max() == 4
        assert (episodes.lengths == 4).mean() > 0.75
        assert not episodes.terminal.any()


def test_estimate_and_truth_stand_side_by_side(trial: NightTrial) -> None:
    """The gain with its interval, the true one, and a verdict with its reasons."""
    row = trial.estimate()
    assert row["lower"] < row["gain"] < row["upper"]
    assert row["is_inside"] == (row["lower"] <= row["true_gain"] <= row["upper"])
    assert row["verdict"] in ("promote", "reject", "abstain")
    assert abs(row["behavior"] - row["true_behavior"]) < 0.4 * row["true_behavior"]


def test_each_fixed_policy_is_compared(trial: NightTrial) -> None:
    """With its profit and spend, and how far the selected policy and the coolest one are above it, paired."""
    selected, coolest, *others = trial.worths()
    assert [row["policy"] for row in others] == list(fixed_policies(trial.night.settings))
    for row in others:
        assert row["selected_above"] == pytest.approx(selected["profit"] - row["profit"], abs=0.002)
        assert row["coolest_above"] == pytest.approx(coolest["profit"] - row["profit"], abs=0.002)


def test_the_interval_over_logs_is_student_s() -> None:
    """Of 1, 2 and 3 around 2, by the table's 4.303; one log has none."""
    assert mean_with_interval([1.0, 2.0, 3.0]) == {"mean": 2.0, "lower": -0.484, "upper": 4.484, "logs": 3}
    assert mean_with_interval([1.0])["lower"] is None
