"""The correction of gains that were picked for being large."""

from __future__ import annotations

import numpy as np
import pytest

from rl.corrected_gain import corrected_gain


@pytest.mark.parametrize(("true", "bias"), [(1.0, 0.2), (2.0, 0.05), (3.0, 0.05), (4.0, 0.05)])
def test_correction_is_unbiased_among_promotions(true: float, bias: float) -> None:
    """Over promotions of candidates with one true gain, corrected gains average it, where raw ones are far above.

    Threshold 2 standard errors, 400,000 nights; the tolerance is the bias by theory, rounded up, plus four standard
    errors of the mean.
    """
    seen = np.random.default_rng(0).normal(true, 1.0, 400_000)
    passed = seen[seen > 2.0]
    corrected = np.array([corrected_gain(value, lower=value - 2.0, standard_error=1.0) for value in passed.tolist()])
    error = corrected.std() / np.sqrt(len(corrected))
    assert corrected.mean() == pytest.approx(true, abs=bias + 4 * error)
    if true <= 2.0:
        assert passed.mean() > true + 0.7


def test_a_gain_far_above_the_threshold_stands_as_seen() -> None:
    """Luck is corrected for where gains passed by a hair."""
    assert corrected_gain(10.0, lower=7.0, standard_error=1.0) == 10.0


def test_a_gain_just_over_the_threshold_loses_most() -> None:
    """What only just passed is what luck would have brought: its correction falls below zero, but not without limit."""
    corrected = corrected_gain(2.34, lower=0.01, standard_error=1.0)
    assert corrected is not None
    assert -5 < corrected < 0


@pytest.mark.parametrize(("value", "lower"), [(1.0, -0.3), (float("nan"), 1.0), (-3.0, -5.0), (1.0, float("nan"))])
def test_a_gain_that_did_not_pass_has_no_correction(value: float, lower: float) -> None:
    """The correction is for promoted gains only."""
    assert corrected_gain(value, lower=lower, standard_error=1.0) is None


def test_correction_scales_with_the_unit() -> None:
    """Points or cents: the same evidence gets the same correction."""
    one = corrected_gain(3.0, lower=0.1, standard_error=1.0)
    cents = corrected_gain(300.0, lower=10.0, standard_error=100.0)
    assert one is not None
    assert cents == pytest.approx(100 * one)
