"""Which estimators a night runs."""

from __future__ import annotations

from typing import get_args

import numpy as np

from conf.specs.judging import SecondOpinionName
from rl.ope.estimators.registry import (
    ESTIMATORS,
    MARGINALIZED_ESTIMATORS,
    ONE_STEP_ESTIMATORS,
    nightly_estimators,
    with_one_step,
)


def test_a_night_runs_those_whose_entry_says_so() -> None:
    """In the order in which the page shows them."""
    assert nightly_estimators() == ("on_policy", "dm", "tis", "pdis", "wis", "wpdis", "dr", "wdr")


def test_one_step_estimators_join_where_every_episode_has_one_step() -> None:
    """Longer episodes would only bring refusals; those of categories need more than the log."""
    nightly = nightly_estimators()
    assert with_one_step(nightly, np.ones(5, dtype=np.int64)) == (*nightly, *ONE_STEP_ESTIMATORS)
    assert with_one_step(nightly, np.array([1, 2, 1])) == nightly
    assert with_one_step(("dr", "snips"), np.array([], dtype=np.int64)) == ("dr", "snips")
    assert {"snips", "sndr", "switch_dr", "dr_os"} <= set(ONE_STEP_ESTIMATORS)
    assert not any(ESTIMATORS[name].needs_categories for name in ONE_STEP_ESTIMATORS)


def test_second_opinions_are_the_estimators_by_state() -> None:
    """What a spec may ask for beside the gate's estimator is what weights by state, by the same names."""
    assert get_args(SecondOpinionName) == MARGINALIZED_ESTIMATORS
