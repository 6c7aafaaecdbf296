"""Strata that a service can tell apart at a decision: segments cut at fixed bounds of one feature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.data.shopper_segments import SEGMENTS
from rl.errors import EvaluationError
from rl.exploration.prediction import Strata

EVERYBODY = "all shoppers"
DIMENSIONS = (
    "new or returning",
    "past purchases",
    "past clicks",
    "last visit",
    "place in the session",
    "clicks this session",
)
"""Of the segments, those whose parts are the same for one decision as for a million; favorites are not, and who comes
at which hour is no reason to be shown something else."""


def stratifications(observation: Mapping[str, IntArray], n_rows: int) -> Iterator[Strata]:
    """Yield the ways to tell the decisions apart, everybody together first; of a feature that isn't observed, none.

    Args:
        observation: feature name -> `(n_rows,)`.
        n_rows: how many decisions there are.
    """
    yield Strata(EVERYBODY, (EVERYBODY,), np.zeros(n_rows, dtype=np.int64))
    for dimension in DIMENSIONS:
        if SEGMENTS[dimension].feature in observation:
            yield strata_of(observation, dimension)


def strata_of(observation: Mapping[str, IntArray], dimension: str) -> Strata:
    """Return the stratum of each decision.

    Args:
        observation: feature name -> `(n,)`, the dimension's among them.
        dimension: one of `DIMENSIONS`, or `EVERYBODY`.

    Raises:
        EvaluationError: no such dimension, or its feature isn't observed.
    """
    if dimension == EVERYBODY:
        n = len(next(iter(observation.values()))) if observation else 1
        return Strata(EVERYBODY, (EVERYBODY,), np.zeros(n, dtype=np.int64))
    if dimension not in DIMENSIONS:
        raise EvaluationError(f"no decisions are told apart by {dimension!r}; expected one of {', '.join(DIMENSIONS)}")
    rule = SEGMENTS[dimension]
    if rule.feature not in observation:
        raise EvaluationError(
            f"{dimension} is read from the feature {rule.feature}, which the scenario doesn't observe; observe it, or "
            "explore by another dimension"
        )
    cut = rule.cut(observation[rule.feature], {})
    return Strata(dimension, cut.labels, cut.codes)
