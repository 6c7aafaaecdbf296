"""Every estimator of policy value, by name. A new one is a function of a sample and an entry here."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rl.errors import EvaluationError
from rl.ope.doubly_robust import dm, dr, wdr
from rl.ope.importance_sampling import on_policy, pdis, tis, wis, wpdis
from rl.ope.sample import EvaluationSample
from rl.ope.sums import RatioSums


@dataclass(frozen=True)
class Estimator:
    """How a value is estimated, and what that takes.

    Attributes:
        name: as in specs.
        per_unit_sums: the sums of a sample, from which value, resamples and influence values follow.
        needs_weights: refuses logs without propensities, and deterministic ones.
        needs_values: takes a fitted Q-function, and bootstraps from it where an episode is cut.
    """

    name: str
    per_unit_sums: Callable[[EvaluationSample], RatioSums]
    needs_weights: bool
    needs_values: bool


ESTIMATORS: Mapping[str, Estimator] = {
    "on_policy": Estimator("on_policy", on_policy, needs_weights=False, needs_values=False),
    "dm": Estimator("dm", dm, needs_weights=False, needs_values=True),
    "tis": Estimator("tis", tis, needs_weights=True, needs_values=False),
    "pdis": Estimator("pdis", pdis, needs_weights=True, needs_values=False),
    "wis": Estimator("wis", wis, needs_weights=True, needs_values=False),
    "wpdis": Estimator("wpdis", wpdis, needs_weights=True, needs_values=False),
    "dr": Estimator("dr", dr, needs_weights=True, needs_values=True),
    "wdr": Estimator("wdr", wdr, needs_weights=True, needs_values=True),
}


def estimator(name: str) -> Estimator:
    """The estimator of that name.

    Raises:
        EvaluationError: there is none.
    """
    if name in ESTIMATORS:
        return ESTIMATORS[name]
    close = difflib.get_close_matches(name, ESTIMATORS, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise EvaluationError(f"unknown estimator {name!r}; known are {', '.join(ESTIMATORS)}{hint}")
