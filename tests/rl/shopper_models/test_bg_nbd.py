"""BG/NBD against published values, against lifetimes' on the same shoppers, and against parameters that are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from rl.errors import TrainingError
from rl.shopper_models.bg_nbd import BgNbd, Repeats, fit_bg_nbd

CDNOW = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "bg_nbd.json").read_text(encoding="utf-8"))


def repeats(*rows) -> Repeats:
    return Repeats(*(np.array(column, dtype=float) for column in zip(*rows, strict=True)))


def simulated_repeats(n: int = 4_000, seed: int = 5) -> Repeats:
    """Shoppers of CDNOW's published parameters, watched for 39 weeks less a first purchase within 12."""
    rng = np.random.default_rng(seed)
    rate, leaves = rng.gamma(0.243, 1 / 4.414, n), rng.beta(0.793, 2.426, n)
    age = 39 - rng.uniform(0, 12, n)
    time, x, recency, stays = np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n, dtype=bool)
    while stays.any():
        time = time + rng.exponential(1 / rate)
        stays &= time < age
        x, recency = x + stays, np.where(stays, time, recency)
        stays &= rng.random(n) >= leaves
    return Repeats(x, recency, age)


def test_the_published_customer_is_expected_to_buy_1_226_times() -> None:
    """Fader and Hardie's note on the model: customer 0001, x = 2, t_x = 30.43, T = 38.86, within 39 weeks."""
    assert CDNOW.expected_purchases(repeats((2, 30.43, 38.86)), 39.0)[0] == pytest.approx(1.226, abs=5e-4)


def test_expectations_equal_lifetimes() -> None:
    asked = repeats(*((row["x"], row["recency"], row["age"]) for row in GOLDEN["customers"]))
    for name, found in (
        ("expected_39", CDNOW.expected_purchases(asked, 39.0)),
        ("alive", CDNOW.probability_alive(asked)),
        ("log_likelihood", CDNOW.log_likelihood(asked)),
    ):
        np.testing.assert_allclose(found, [row[name] for row in GOLDEN["customers"]], rtol=1e-9)


def test_estimates_equal_lifetimes() -> None:
    found = fit_bg_nbd(simulated_repeats())
    for name in ("r", "alpha", "a", "b"):
        assert getattr(found, name) == pytest.approx(GOLDEN["estimates"][name], rel=5e-3)


def test_any_purchase_is_as_likely_as_simulated() -> None:
    """A shopper who is alive buys next at the own rate, whatever happens after it."""
    rng = np.random.default_rng(0)
    rate = rng.gamma(CDNOW.r + 2, 1 / (CDNOW.alpha + 38.86), 400_000)
    share = (rng.exponential(1 / rate) < 10).mean() * CDNOW.probability_alive(repeats((2, 30.43, 38.86)))[0]
    # Four standard errors of 400,000 draws.
    assert CDNOW.probability_of_any(repeats((2, 30.43, 38.86)), 10.0)[0] == pytest.approx(share, abs=0.0032)


def test_repeats_that_cannot_be_are_refused() -> None:
    with pytest.raises(TrainingError, match="0 <= recency <= age"):
        fit_bg_nbd(repeats((1, 5, 3)))
    with pytest.raises(TrainingError, match="nobody has any"):
        fit_bg_nbd(repeats((0, 0, 3)))
