"""What the champion earned over the control group, day after day."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.monitor.realised import (
    ServedEpisodes,
    arm_mean,
    gain_influences,
    gain_interval,
    planned_error,
    running_gains,
)

DAY = 739_000


def episodes(day, shopper, arm, value) -> ServedEpisodes:
    return ServedEpisodes(
        np.asarray(day) + DAY,
        np.asarray(shopper),
        np.asarray(arm),
        ("control", "champion"),
        np.asarray(value, dtype=float),
        np.ones(len(day), dtype=bool),
        np.zeros(len(day), dtype=bool),
    )


def returning(seed: int, *, gain: float = 0.0, n: int = 400, n_days: int = 20, share=None) -> ServedEpisodes:
    """Shoppers who differ and come back; `share` of champion's shoppers by day, none of them ever leaving it."""
    rng = np.random.default_rng(seed)
    lot, loyalty = rng.random(n), rng.gamma(2, 1, n)
    shopper, day = np.nonzero(rng.random((n, n_days)) < 0.3)
    shares = np.full(n_days, 0.7) if share is None else np.asarray(share)
    arm = (lot[shopper] < shares[day]).astype(int)
    season = 1 + day / n_days
    return episodes(day, shopper, arm, season * loyalty[shopper] + rng.normal(0, 1, len(day)) + gain * arm)


def test_the_gain_is_the_difference_within_days() -> None:
    """By hand: day 0 says 3 - 1, day 1 says 4 - 2, each as many in both arms."""
    found = list(
        running_gains(
            episodes([0, 0, 0, 0, 1, 1, 1, 1], range(8), [0, 0, 1, 1, 0, 0, 1, 1], [0, 2, 2, 4, 1, 3, 3, 5]),
            "champion",
            "control",
        )
    )
    assert [one.value for one in found] == [2.0, 2.0]
    assert [one.own_value for one in found] == [2.0, 2.0]
    assert found[-1].n_shoppers == 8


def test_the_error_is_clustered_by_shopper() -> None:
    """Eight shoppers who repeat themselves on both days are eight, not sixteen: the second day adds no certainty."""
    arm, value = [0, 0, 0, 0, 1, 1, 1, 1], [0.0, 2.0, 1.0, 5.0, 2.0, 4.0, 7.0, 1.0]
    once = list(running_gains(episodes([0] * 8, range(8), arm, value), "champion", "control"))
    twice = episodes([0] * 8 + [1] * 8, [*range(8)] * 2, arm * 2, value * 2)
    found = list(running_gains(twice, "champion", "control"))
    assert found[-1].standard_error == pytest.approx(once[-1].standard_error)


def test_errors_are_as_large_as_gains_scatter() -> None:
    """Over 200 logs the errors' mean is the gains' spread, to four of its errors (a twentieth each)."""
    last = [list(running_gains(returning(seed), "champion", "control"))[-1] for seed in range(200)]
    spread = np.std([one.value for one in last], ddof=1)
    assert np.mean([one.standard_error for one in last]) == pytest.approx(spread, rel=0.2)
    assert abs(np.mean([one.value for one in last])) < 4 * spread / math.sqrt(200)


def test_a_growing_share_in_a_growing_season_makes_no_gain() -> None:
    """Pooled means show one where there is none, since the champion's episodes are those of the better days."""
    share = np.linspace(0.05, 0.95, 20)
    logs = [returning(seed, share=share, n=600) for seed in range(30)]
    pooled = [log.of("champion").value.mean() - log.of("control").value.mean() for log in logs]
    within = [list(running_gains(log, "champion", "control"))[-1] for log in logs]
    error = np.std([one.value for one in within], ddof=1) / math.sqrt(30)
    assert np.mean(pooled) > 0.2
    assert abs(np.mean([one.value for one in within])) < 4 * error


def test_days_with_one_arm_alone_are_passed_over() -> None:
    found = list(
        running_gains(
            episodes([0, 0, 1, 1, 1, 1], range(6), [1, 1, 0, 0, 1, 1], [9, 9, 1, 1, 2, 2]), "champion", "control"
        )
    )
    assert [one.own_value for one in found] == [1.0]
    assert list(running_gains(episodes([0, 0], [0, 1], [1, 1], [1, 2]), "champion", "control")) == []


def test_bounds_hold_at_all_days_together() -> None:
    """150 logs of A/A, looked at daily: they ever miss in one of twenty at most, but for four errors of that share."""
    ever, alone = 0, 0
    for seed in range(150):
        gains = list(running_gains(returning(seed, n=300, n_days=60), "champion", "control"))[2:]
        plan = planned_error(None, gains)
        found = [gain_interval(one, level=0.95, planned_error=plan) for one in gains]
        ever += any(not one.lower <= 0 <= one.upper for one in found)
        alone += any(abs(one.value) > 1.96 * one.standard_error for one in gains)
    assert ever / 150 < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 150)
    assert alone / 150 > 0.1


def test_nothing_promised_plans_by_the_first_day_alone() -> None:
    gains = list(running_gains(returning(1), "champion", "control"))
    assert planned_error(0.25, gains) == 0.25
    assert planned_error(None, gains) == planned_error(None, gains[:1])
    with pytest.raises(EvaluationError, match="no day has episodes of both arms"):
        planned_error(None, [])


def test_an_arm_s_mean_knows_that_shoppers_return() -> None:
    log = returning(3)
    found = arm_mean(log.of("champion"))
    alone = arm_mean(
        episodes(
            log.of("champion").day - DAY,
            range(len(log.of("champion"))),
            log.of("champion").arm,
            log.of("champion").value,
        )
    )
    assert found.value == pytest.approx(alone.value)
    assert found.standard_error > 1.3 * alone.standard_error
    assert arm_mean(log.of("nobody")) is None


def test_influences_sum_to_the_running_gain_s_error() -> None:
    log = returning(4, share=np.linspace(0.3, 0.8, 20))
    last = list(running_gains(log, "champion", "control"))[-1]
    found = gain_influences(log, "champion", "control")
    assert found.covariance(found) == pytest.approx(last.standard_error**2, rel=1e-12)
    assert len(found.shopper) == last.n_shoppers
    nothing = gain_influences(log, "nobody", "control")
    assert len(nothing.shopper) == 0
    assert nothing.covariance(found) == 0.0


def test_gains_over_one_control_group_vary_together_as_much_as_is_said() -> None:
    """Two launches of the same 400 shoppers, 300 shops: what gains have in common, to four of its errors."""
    pairs, said = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        arm, loyalty = (rng.random(400) < 0.7).astype(int), rng.gamma(2, 1, 400)
        logs = []
        for _ in range(2):
            shopper, day = np.nonzero(rng.random((400, 10)) < 0.3)
            logs.append(episodes(day, shopper, arm[shopper], loyalty[shopper] + rng.normal(0, 1, len(day))))
        pairs.append([list(running_gains(log, "champion", "control"))[-1].value for log in logs])
        first, second = (gain_influences(log, "champion", "control") for log in logs)
        said.append(first.covariance(second))
    spread = np.cov(np.array(pairs).T)
    error = math.sqrt((spread[0, 0] * spread[1, 1] + spread[0, 1] ** 2) / 300)
    assert abs(np.mean(said) - spread[0, 1]) < 4 * error
    assert spread[0, 1] > 8 * error
