"""One estimated policy value with everything needed to doubt it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from rl.ope.estimators.slope import ChosenLevel


@dataclass(frozen=True)
class PolicyValueReport:
    """What one estimator says about one policy on one split; plain numbers, ready for JSON.

    Attributes:
        policy: name of the policy.
        estimator: name of the estimator.
        outcome: `reward`, or the side metric that was valued.
        value: expected discounted sum per episode, in the outcome's unit; None where refused.
        lower: lower bound; None where refused.
        upper: upper bound; None where refused.
        standard_error: clustered by unit; None where refused.
        level: of the interval, two-sided.
        interval_method: how the bounds were made.
        n_episodes: in the split.
        n_units: independent units resampled.
        effective_sample_size: units that the weighted decisions rest on; None where the log can't be weighted.
        n_effective_rewarded: units that the weighted rewards rest on; None likewise.
        mean_weight: of all weighted decisions; also moved by how long the policy's episodes are.
        mean_ratio: of evaluation probability over propensity; not 1 where support is missing or propensities are wrong.
        mean_ratio_error: its standard error, clustered by unit.
        max_weight: largest cumulative weight before clipping.
        clip: limit put on cumulative weights, None for none.
        share_clipped: share of decisions at which it bit.
        share_outside_support: probability that the policy gives to actions the log can't judge; None where unknown.
        steps: the value is of this many steps; None: to the end of the longest episode.
        share_cut: share of episodes that the log cuts before their end and before `steps`.
        is_bootstrapped_at_cut: whether a fitted value stands in for what was cut off.
        is_prediction: True where nothing but a model supports the value (implied decisions).
        refusal: why there is no value; None where there is one.
        chosen_level: at which the estimator limits weights, and the levels tried; None where it limits none itself.
        behavior_standard_error: part of `standard_error` that comes from estimating propensities; None where none were.
    """

    policy: str
    estimator: str
    outcome: str
    value: float | None
    lower: float | None
    upper: float | None
    standard_error: float | None
    level: float
    interval_method: str | None
    n_episodes: int
    n_units: int
    effective_sample_size: float | None
    n_effective_rewarded: float | None
    mean_weight: float | None
    max_weight: float | None
    clip: float | None
    share_clipped: float | None
    share_outside_support: float | None
    steps: int | None
    share_cut: float
    is_bootstrapped_at_cut: bool
    is_prediction: bool
    refusal: str | None
    chosen_level: ChosenLevel | None = None
    mean_ratio: float | None = None
    mean_ratio_error: float | None = None
    behavior_standard_error: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; a number that isn't finite becomes None."""
        content = {name: _finite_or_none(value) for name, value in asdict(self).items()}
        return content | {"chosen_level": self.chosen_level.to_json() if self.chosen_level else None}


def _finite_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
