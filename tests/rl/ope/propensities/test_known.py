"""Propensities as logged or estimated."""

from __future__ import annotations

import numpy as np
import pytest

from rl.ope.propensities.known import know_propensities
from tests.rl.factories import make_logged_episodes


def test_logged_propensities_stay_as_they_are() -> None:
    """A log with all propensities is used as it is, and checked against its availability sets in words."""
    episodes = make_logged_episodes((3,) * 40)
    known = know_propensities(episodes, is_logged=True)
    assert known.source == "logged"
    assert known.episodes is episodes
    assert "averages 1.000" in known.note


def test_implausible_propensities_are_pointed_out() -> None:
    """Propensities of .9 for three equally frequent actions can't be true, and the note says so."""
    known = know_propensities(make_logged_episodes((3,) * 40, propensity=np.full(120, 0.9)), is_logged=True)
    assert "doesn't agree" in known.note


def test_missing_propensities_are_filled_in_and_logged_ones_kept() -> None:
    """Only what is missing is estimated; the share is said, and calibration comes with it."""
    propensity = np.full(600, 1 / 3)
    propensity[::4] = np.nan
    generator = np.random.default_rng(0)
    episodes = make_logged_episodes(
        (3,) * 200, propensity=propensity, action=generator.integers(0, 3, 600), features=np.zeros((600, 1), np.float32)
    )
    known = know_propensities(episodes, is_logged=True)
    assert known.source == "estimated"
    assert known.episodes.propensity[1] == pytest.approx(1 / 3)
    # A uniform choice among three, estimated from 600 rows: a standard error of about .02.
    assert known.episodes.propensity[::4] == pytest.approx(1 / 3, abs=0.1)
    assert "25.0%" in known.note
    assert known.calibration is not None


def test_implied_decisions_have_no_propensity() -> None:
    """Nothing is estimated for decisions that nobody made."""
    known = know_propensities(make_logged_episodes(propensity=np.full(5, np.nan)), is_logged=False)
    assert known.source == "none"
    assert np.isnan(known.episodes.propensity).all()


def test_propensities_of_too_few_shoppers_stay_unknown() -> None:
    """Three shoppers can't be dealt into four folds: nothing is estimated, and the note says why."""
    known = know_propensities(make_logged_episodes((2,) * 3, propensity=np.full(6, np.nan)), is_logged=True)
    assert known.source == "none"
    assert np.isnan(known.episodes.propensity).all()
    assert "3 units can't be dealt into 4 folds" in known.note
