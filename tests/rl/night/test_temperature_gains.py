"""What one network gains at several temperatures, told together."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import FloatArray
from rl.night.temperature_gains import temperature_gains

GAIN = np.array([1.6, 0.5, 0.4])
ERRORS = np.array([0.6, 0.2, 0.15])
PREDICTED = np.array([0.66, 0.6, 0.5])


def covariance(errors: FloatArray, correlation: float = 0.7) -> FloatArray:
    """Of estimates that are as much alike."""
    alike = np.full((len(errors), len(errors)), correlation) + (1 - correlation) * np.eye(len(errors))
    return np.asarray(np.outer(errors, errors) * alike)


def test_a_lucky_estimate_is_drawn_to_what_the_tamer_say() -> None:
    """By itself the sharpest gains three times as much as the next; by all, little more, and surely so."""
    found = temperature_gains(GAIN, covariance(ERRORS), PREDICTED)
    assert found.gain[1] < found.gain[0] < 0.5 * GAIN[0]
    assert found.error[0] < 0.5 * ERRORS[0]
    assert (found.error < 1.1 * ERRORS).all()


def test_one_temperature_says_what_it_says() -> None:
    found = temperature_gains(GAIN[:1], covariance(ERRORS[:1]), PREDICTED[:1])
    assert found.gain == pytest.approx(GAIN[:1])
    assert found.error == pytest.approx(ERRORS[:1], rel=0.05)


def test_beliefs_hold_the_true_gains() -> None:
    """Of 4,000 networks that depart as the model says, beliefs hold some 95% within 1.96; the sharpest errs less."""
    generator = np.random.default_rng(0)
    seen, share, n = covariance(ERRORS), PREDICTED / PREDICTED.max(), 4000
    truth = 2.0 * share + 0.2 * generator.normal(size=(n, 3))
    estimates = truth + generator.multivariate_normal(np.zeros(3), seen, n)
    found = [temperature_gains(one, seen, PREDICTED) for one in estimates]
    z = np.array([(one.gain - own) / one.error for one, own in zip(found, truth, strict=True)])
    assert (np.abs(z) < 1.96).mean(axis=0) == pytest.approx(0.95, abs=0.03)
    spread = np.array([one.gain for one in found]) - truth
    assert (spread.std(axis=0) < np.array([0.6, 1.06, 1.06]) * ERRORS).all()


def test_precise_estimates_are_left_where_they_are() -> None:
    """Where chance is small beside a departure, shares have nothing to say."""
    found = temperature_gains(GAIN, covariance(ERRORS / 100), PREDICTED)
    np.testing.assert_allclose(found.gain, GAIN, rtol=0.01)
    np.testing.assert_allclose(found.error, ERRORS / 100, rtol=0.05)


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.99, 1.0])
def test_gains_stay_within_what_single_temperatures_say(correlation: float) -> None:
    """Shares are off, and estimates err together: weights that minded it would end below each of them."""
    gain, share = np.array([0.6, 0.55, 0.5]), np.array([1.0, 0.75, 0.5])
    found = temperature_gains(gain, covariance(np.array([0.2, 0.19, 0.18]), correlation), share)
    implied = gain / share
    assert (found.gain >= share * implied.min() - 1e-12).all()
    assert (found.gain <= share * implied.max() + 1e-12).all()


def test_gains_scale_with_their_unit() -> None:
    """Cents instead of euros."""
    cents = temperature_gains(100 * GAIN, 1e4 * covariance(ERRORS), 100 * PREDICTED)
    euros = temperature_gains(GAIN, covariance(ERRORS), PREDICTED)
    np.testing.assert_allclose(cents.gain, 100 * euros.gain)
    np.testing.assert_allclose(cents.error, 100 * euros.error)


def test_estimates_that_are_the_same_are_told_as_one() -> None:
    """Two temperatures at which the policy is the same one."""
    found = temperature_gains(
        np.array([0.5, 0.5]), covariance(np.array([0.2, 0.2]), correlation=1.0), np.array([0.4, 0.4])
    )
    assert found.gain == pytest.approx(0.5)
    assert found.error == pytest.approx(0.2, rel=0.05)


def test_no_gain_at_all_is_told_with_its_error() -> None:
    found = temperature_gains(np.zeros(3), covariance(ERRORS), PREDICTED)
    assert found.gain.tolist() == [0.0, 0.0, 0.0]
    assert (found.error > 0.5 * ERRORS.min()).all()


@pytest.mark.parametrize(
    ("seen", "predicted"),
    [
        (covariance(ERRORS), np.array([-0.1, -0.2, 0.0])),
        (covariance(ERRORS), np.array([0.001, -0.05, 0.1])),
        (covariance(np.array([0.6, 0.0, 0.15])), PREDICTED),
        (np.full((3, 3), np.nan), PREDICTED),
    ],
    ids=["no gain predicted", "a loss predicted", "no error", "unknown errors"],
)
def test_each_stands_by_itself_where_nothing_tells_of_shares(seen: FloatArray, predicted: FloatArray) -> None:
    """Nothing is drawn to anything."""
    found = temperature_gains(GAIN, seen, predicted)
    np.testing.assert_array_equal(found.gain, GAIN)
    np.testing.assert_array_equal(found.error, np.sqrt(np.diag(seen)))


@pytest.mark.parametrize("least", [0.3, 0.1, 0.03, 0.001, 0.0])
def test_a_share_near_nothing_says_ever_less(least: float) -> None:
    """A Q-function that sees hardly a gain at one temperature has an error as large: no estimate jumps at 0."""
    gain, errors = np.array([0.1, 0.5]), np.array([0.36, 0.22])
    found = temperature_gains(gain, covariance(errors), np.array([1.0, least]))
    near = temperature_gains(gain, covariance(errors), np.array([1.0, least - 1e-6]))
    assert found.gain == pytest.approx(near.gain, abs=1e-3)
    assert found.error == pytest.approx(near.error, abs=1e-3)
    if least <= 0.001:
        assert found.gain == pytest.approx(gain, abs=1e-3)
        assert found.error == pytest.approx(errors, abs=1e-3)
