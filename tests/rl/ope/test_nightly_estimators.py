"""Which estimators a night runs."""

from __future__ import annotations

from typing import get_args

import numpy as np

from conf.scenario import SecondOpinionName
from rl.ope.estimators.registry import (
    ESTIMATORS,
    MARGINALIZED_ESTIMATORS,
    NIGHTLY_ESTIMATORS,
    ONE_STEP_ESTIMATORS,
    with_one_step,
)


def test_one_step_estimators_join_where_every_episode_has_one_step() -> None:
    """Longer episodes would only bring refusals; those of categories need more than the log."""
    assert with_one_step(NIGHTLY_ESTIMATORS, np.ones(5, dtype=np.int64)) == (*NIGHTLY_ESTIMATORS, *ONE_STEP_ESTIMATORS)
    assert with_one_step(NIGHTLY_ESTIMATORS, np.array([1, 2, 1])) == NIGHTLY_ESTIMATORS
    assert with_one_step(("dr", "snips"), np.array([], dtype=np.int64)) == ("dr", "snips")
    assert {"snips", "sndr", "switch_dr", "dr_os"} <= set(ONE_STEP_ESTIMATORS)
    assert not any(ESTIMATORS[name].needs_categories for name in ONE_STEP_ESTIMATORS)


def test_second_opinions_are_the_estimators_by_state() -> None:
    """What a spec may ask for beside the gate's estimator is what weights by state, by the same names."""
    assert get_args(SecondOpinionName) == MARGINALIZED_ESTIMATORS
