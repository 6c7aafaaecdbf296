"""The correction of gains that were picked for being large."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from rl.corrected_gain import corrected_gain


def test_correction_is_median_unbiased_among_promotions() -> None:
    """Among promotions of candidates with one true gain, half of the corrected gains lie above it and half below.

    Of the draws, the first 1,000 that pass: the share has a standard error of .016, and the tolerance is five of them.
    """
    true, alpha = 1.0, 0.05
    seen = np.random.default_rng(0).normal(true, 1.0, 10_000)
    passed = seen[seen > norm.isf(alpha)][:1_000]
    corrected = [corrected_gain(float(value), standard_error=1.0, alpha=alpha) for value in passed]
    share_above = np.mean([value is not None and value > true for value in corrected])
    assert share_above == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(len(passed)))
    assert np.mean(passed > true) > 0.95


def test_a_gain_far_above_the_threshold_is_hardly_corrected() -> None:
    """Ten standard errors above nothing, having been picked explains nothing."""
    corrected = corrected_gain(10.0, standard_error=1.0, alpha=0.01)
    assert corrected == pytest.approx(10.0, abs=0.01)


def test_a_gain_just_over_the_threshold_loses_most() -> None:
    """What only just passed is what luck would have brought: its correction falls below zero."""
    corrected = corrected_gain(2.4, standard_error=1.0, alpha=0.01)
    assert corrected is not None
    assert corrected < 0


@pytest.mark.parametrize("value", [1.0, float("nan"), -3.0])
def test_a_gain_that_did_not_pass_has_no_correction(value: float) -> None:
    """The correction is for promoted gains only."""
    assert corrected_gain(value, standard_error=1.0, alpha=0.01) is None


def test_correction_scales_with_the_unit() -> None:
    """Points or cents: the same evidence gets the same correction."""
    one = corrected_gain(3.0, standard_error=1.0, alpha=0.05)
    cents = corrected_gain(300.0, standard_error=100.0, alpha=0.05)
    assert one is not None
    assert cents == pytest.approx(100 * one)
