from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.exploration.costs import NightCosts
from tests.rl.exploration.logs import rows_of, shop


def test_what_a_night_costs_is_what_following_the_arm_loses() -> None:
    one = replace(shop(), rate=np.where(shop().champion > 0.5, 0.5, 0.05))
    rows, strata, _ = rows_of(one, n=50_000)

    found = NightCosts.of(rows, strata, rows.uniform, episodes_a_night=400.0)

    truth = (one.value(one.champion) - one.value(one.uniform)) * 400
    # The standard error of so many rows is 3% of it.
    assert truth > 50
    assert found.expected.sum() == pytest.approx(truth, rel=0.1)
    assert (found.worst >= found.expected).all()


def test_a_candidate_that_gains_is_expected_to_earn_and_may_still_cost() -> None:
    one = shop(gain=0.1)
    rows, strata, _ = rows_of(one, n=20_000)

    found = NightCosts.of(rows, strata, rows.candidate, episodes_a_night=400.0)

    assert found.expected.sum() < 0
    assert (found.worst >= 0).all()
    assert found.worst.sum() > 0


def test_costs_are_in_proportion_to_what_a_night_brings() -> None:
    rows, strata, _ = rows_of(shop(), n=2_000)
    once, twice = (NightCosts.of(rows, strata, rows.candidate, episodes_a_night=n) for n in (100.0, 200.0))

    assert twice.expected == pytest.approx(2 * once.expected)
    assert twice.worst == pytest.approx(2 * once.worst)


def test_a_thin_log_costs_at_worst_what_candidates_usually_cost_at_worst() -> None:
    rows, strata, _ = rows_of(shop(), n=60)

    found = NightCosts.of(rows, strata, rows.candidate, episodes_a_night=1.0)

    # A belief's spread is a tenth of a stratum's value at most, and its mean lies within what was seen.
    assert np.isfinite(found.worst).all()
    assert found.worst.sum() < 0.5 * rows.baseline_value
