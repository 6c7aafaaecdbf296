"""What is found about a log before anything is trained, as plain models: worth.json holds them, the page words them.

Values are in the scenario's reward unit per episode; None means that it isn't known, and a reason stands beside it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from conf.publication import write_atomically
from conf.specs.strict_yaml import StrictModel

Answer = Literal["pays", "does_not_pay", "cannot_tell"]
Policy = Literal["behavior", "one_step", "look_ahead"]


class Bounded(StrictModel):
    """A figure between its bounds; a bound of None is infinite or unknown."""

    value: float | None
    lower: float | None
    upper: float | None


class LogSummary(StrictModel):
    """Which log, and how much of it was read: test episodes never are."""

    source: str
    source_title: str
    scenario: str
    scenario_title: str
    date: date
    decisions: Literal["logged", "implied"]
    propensities: Literal["logged", "estimated", "none"]
    propensity_note: str
    reward_unit: str
    n_episodes: int
    n_shoppers: int
    n_decisions: int
    n_actions: int
    nights: float
    steps: int | None
    gamma: float
    is_sampled: bool = False
    discounted_per: Literal["step", "day"] = "step"
    earns: str = ""


class PolicyFigure(StrictModel):
    """Value of one policy at the share of decisions handed over; `gain` is over the behavior policy, paired."""

    policy: Policy
    value: Bounded
    gain: Bounded | None
    effective_sample_size: float | None
    effective_rewarded: float | None


class Comparison(StrictModel):
    """One-step rule against look-ahead rule.

    share_handed: of decisions that the rules take over; the rest stays with the behavior policy.
    share_reached: value of the one-step rule over value of the look-ahead rule.
    is_prediction: a model's word alone (direct method); the interval is then of shoppers, not of the model's error.
    """

    estimator: str
    is_prediction: bool
    share_handed: float
    policies: tuple[PolicyFigure, ...]
    share_reached: Bounded
    margin: float
    level: float


class Response(StrictModel):
    """Whether actions move something about the next state, beyond what the observation tells.

    explained: slope of what happened on what the action was predicted to change, in shoppers not fitted on: 1 is as
    predicted, 0 is nothing. p_value: one-sided, of no effect at all; `is_moved` allows for the number of things tried.
    """

    name: str
    explained: Bounded
    p_value: float
    is_moved: bool


class FutureEffect(StrictModel):
    """Whether actions change the return that follows after them, given the observation.

    size: standard deviation over usual choices of that change, as far as it held; relative to the mean return.
    """

    response: Response
    size: Bounded


class MovementPoint(StrictModel):
    """A share of decisions handed to the greedy one-step rule, and what that leaves of the log.

    distance: mean total variation distance between the mixture and the behavior policy at a decision.
    """

    share: float
    distance: float
    effective_sample_size: Bounded
    effective_rewarded: Bounded
    is_enough: bool


class Movement(StrictModel):
    """How far a candidate can move; `farthest` is the share at which a floor is crossed, 1 where none is."""

    points: tuple[MovementPoint, ...]
    min_effective_sample_size: float
    min_effective_rewarded: float
    farthest: Bounded


class VisibilityRow(StrictModel):
    """Nights of logs that a gain would need under a share of uniform choices added to the behavior policy."""

    added_exploration: float
    nights: Bounded


class Visibility(StrictModel):
    """When a gain becomes visible at the gate's level, for a candidate of the share handed over."""

    gain: float
    alpha: float
    power: float
    share_handed: float
    nights_now: float
    rows: tuple[VisibilityRow, ...]


class WorthFindings(StrictModel):
    """Everything found; a part is None where the log can't say it, and `reasons` then say why."""

    log: LogSummary
    answer: Answer
    sentence: str
    reasons: tuple[str, ...]
    comparison: Comparison | None
    responses: tuple[Response, ...]
    future_effect: FutureEffect | None
    movement: Movement | None
    visibility: Visibility | None
    visibility_refusal: str | None
    dataset_digest: str
    code_hash: str

    def write(self, path: Path) -> None:
        """Write the findings to the file, replacing it atomically."""
        write_atomically(path, self.model_dump_json(indent=1))
