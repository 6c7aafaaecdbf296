"""The simulated shop of launches tells its versions' true gain."""

from __future__ import annotations

import pytest

from tests.bench.rollout.launches import Lapse, Shop, true_gain


@pytest.mark.parametrize("gain", [-1.0, -0.1, 0.0, 0.1])
@pytest.mark.parametrize("seed", [0, 1])
def test_true_gain_is_that_of_a_visit_where_visits_do_not_depend_on_the_version(gain: float, seed: int) -> None:
    """Within .03: four standard errors of some 135,000 visits a version, whose values spread by 1.8 means."""
    assert true_gain(Shop(20_000), gain, n_days=56, seed=seed) == pytest.approx(gain, abs=0.03)


def test_true_gain_counts_visits_that_a_version_loses_or_keeps() -> None:
    """The poorer half, which brings a quarter, leaves at the first of four visits, by the one version or the other."""
    away = true_gain(Shop(20_000, period=14, lapse=Lapse(by_new=True, chance=1.0)), 0.0, n_days=56)
    kept = true_gain(Shop(20_000, period=14, lapse=Lapse(by_new=False, chance=1.0)), 0.0, n_days=56)
    assert away == pytest.approx(-0.18, abs=0.02)
    assert 1 + kept == pytest.approx(1 / (1 + away), rel=0.03)
