from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.exploration.prediction import Outlook, expected_moments
from rl.exploration.rows import GainRows
from tests.rl.exploration.logs import rows_of, shop, tonight


def test_the_variance_of_explored_nights_is_predicted_from_nights_without_exploration() -> None:
    one = shop()
    rows, strata, q = rows_of(one, n=400_000)
    shares = [0.3, 0.05, 0.15]
    predicted = Outlook(rows, strata, tonight(rows), rows.candidate).night_variance(shares)

    explored = one.log(one.explored(np.array(shares), one.candidate), 200_000, np.random.default_rng(8))
    seen = float(explored.gains(one, q).var()) / 400

    # Some hundred rewards of decisions that differ, worth four each, leave 5% of noise.
    assert predicted == pytest.approx(seen, rel=0.15)


def test_the_variance_of_uniformly_explored_nights_is_predicted_too() -> None:
    one = shop()
    rows, strata, q = rows_of(one, n=400_000)
    predicted = Outlook(rows, strata, tonight(rows), rows.uniform).night_variance([0.4] * 3)

    explored = one.log(one.explored(np.full(3, 0.4), one.uniform), 200_000, np.random.default_rng(8))

    assert predicted == pytest.approx(float(explored.gains(one, q).var()) / 400, rel=0.15)


def test_nights_fall_with_the_share_where_the_policies_differ() -> None:
    rows, strata, _ = rows_of(shop())
    outlook = Outlook(rows, strata, tonight(rows), rows.candidate)

    found = [outlook.nights([share] * 3) for share in (0.0, 0.05, 0.1, 0.2)]

    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * found[-1]


def test_nights_to_floors_scale_with_the_floors_and_with_what_a_night_brings() -> None:
    rows, strata, _ = rows_of(shop())

    def wait(**over: object) -> float:
        return Outlook(rows, strata, tonight(rows, **over), rows.candidate).nights_to_floors([0.1] * 3)

    assert wait(floors=(400.0, 400.0, 200.0)) == pytest.approx(2 * wait())
    assert wait(episodes_a_night=800.0) == pytest.approx(wait() / 2)
    assert wait(floors=(0.0, 0.0, 0.0)) == 0.0


def test_a_log_without_rewards_never_reaches_the_floor_on_them() -> None:
    rows, strata, _ = rows_of(shop(), n=2_000)
    bare = replace(rows, reward=np.zeros_like(rows.reward))

    assert Outlook(bare, strata, tonight(rows), rows.candidate).nights_to_floors([0.1] * 3) > 1e6


def test_rows_that_happen_to_hold_no_reward_are_not_taken_to_vary_little() -> None:
    rows, strata, _ = rows_of(shop(), n=600)
    differs = rows.candidate.ratio > 2
    lucky = replace(rows, part=np.where(differs, rows.part * 0.01, rows.part))

    found = expected_moments(lucky, strata)[differs].sum() / np.square(lucky.part)[differs].sum()

    assert rows.reward.sum() > 0
    assert found > 100
    assert math.isfinite(found)


def test_samples_of_other_rows_are_refused() -> None:
    one = shop()
    log = one.log(one.champion, 50, np.random.default_rng(1))
    candidate, champion, ratio = one.samples(log, one.fitted(log))

    with pytest.raises(EvaluationError, match="got 50 of the candidate, 50 of the baseline and 49 uniform ratios"):
        GainRows.of(candidate, champion, ratio[1:])


def test_a_baseline_without_values_is_valued_by_the_candidates() -> None:
    one = shop()
    log = one.log(one.champion, 500, np.random.default_rng(1))
    candidate, champion, ratio = one.samples(log, one.fitted(log))

    rows = GainRows.of(candidate, replace(champion, values=None), ratio)

    assert np.isfinite(rows.candidate.advantage).all()
    assert rows.start == pytest.approx(np.zeros(500))
