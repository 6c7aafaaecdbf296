"""Evidence beyond values: doubts, other estimators, segments, support, explanation. Parts of `night`.

Values are in the scenario's reward unit per episode; shares lie in [0, 1]; None means that it isn't known. Where a part
has a `refusal`, that sentence stands in its place.
"""

from __future__ import annotations

from typing import Literal

from conf.specs.strict_yaml import StrictModel
from rl.figures.values import Spread


class ClippedGain(StrictModel):
    """The gain with importance weights limited to `clip` (None: not at all), which bites at `share_clipped`."""

    clip: float | None
    share_clipped: float
    gain: Spread


class Confounding(StrictModel):
    """How strong a hidden reason behind the logged choices must be to flip what the gate says of the gain.

    flips: what it would flip: `gain` where one is shown, else `doubt` (it would hide a gain). gamma: by how much the
    odds of any logged choice may be off; None where even `largest_gamma` isn't enough. bounded: the estimator whose
    bounds were moved. longest_steps: of an episode valued; every step may be confounded.
    """

    flips: Literal["gain", "doubt"]
    gamma: float | None
    largest_gamma: float
    bounded: str
    longest_steps: int


class SplitLossFigures(StrictModel):
    """Losses that the test episodes missed, found in all splits.

    shift: by how much they cost more per episode in all splits than in the test episodes. rarest: share of the shoppers
    for whom candidate and baseline decide differently that a loss must strike to have been seen, but for a chance of
    one in twenty; None where there are too few such shoppers to see any. n_differing: how many these are, effectively.
    """

    shift: float
    rarest: float | None
    n_differing: float


class Doubts(StrictModel):
    """What intervals leave out.

    confounding: hidden reasons behind the logged choices. tail_index: of the shoppers' parts in the gain,
    0 for light tails, 1 where no mean exists. largest_share, top_percent_share: of all parts, those of the largest
    shopper and of the largest hundredth. clipping: the gain at falling limits on weights, the unlimited one last.
    losses: those of all splits; None where they are unknown, as in evaluations before they were counted.
    """

    confounding: Confounding | None = None
    tail_index: float | None = None
    largest_share: float | None = None
    top_percent_share: float | None = None
    clipping: tuple[ClippedGain, ...] = ()
    losses: SplitLossFigures | None = None


class LoggerRow(StrictModel):
    """A policy version that made part of the test episodes: the candidate's value by them alone, and what it counts."""

    version: str
    n_episodes: int
    value: float
    share: float


class Loggers(StrictModel):
    """The candidate's value by who made the log; `value` is the mean by `share`."""

    estimator: str
    rows: tuple[LoggerRow, ...] = ()
    value: Spread | None = None
    refusal: str | None = None


class Opinion(StrictModel):
    """Another estimator's gain of candidate over baseline; None: `refusal` says why. `is_gate`: the gate's own."""

    estimator: str
    is_gate: bool = False
    gain: Spread | None = None
    refusal: str | None = None


class Opinions(StrictModel):
    """Second opinions on the gain, the gate's estimator first, all between bounds at `level`."""

    rows: tuple[Opinion, ...] = ()
    level: float = 0.95


class SegmentRow(StrictModel):
    """Candidate against baseline on the episodes of one segment; `gain` None: `refusal` says why."""

    dimension: str
    label: str
    n_episodes: int
    n_units: int
    share: float
    effective_rewarded: float | None
    candidate: Spread | None = None
    baseline: Spread | None = None
    gain: Spread | None = None
    refusal: str | None = None


class Segments(StrictModel):
    """Values by segment; `confidence` is of all intervals of gains at once, `level` of each by itself."""

    rows: tuple[SegmentRow, ...] = ()
    baseline: str = ""
    estimator: str = ""
    confidence: float = 0.95
    level: float = 0.95
    n_shown: int = 0
    refusal: str | None = None


class SupportBand(StrictModel):
    """Actions that the log (training and test) took at least `least` times and at most `most` times (None: any)."""

    least: int
    most: int | None
    n_actions: int
    log: float
    candidate: float


class UnseenAction(StrictModel):
    """An available action that the log never took, and how often the candidate would."""

    action: str
    candidate: float


class WeightCurve(StrictModel):
    """Share of all weight that the heaviest shoppers hold: `held[i]` by the heaviest `shoppers[i]` (both shares)."""

    shoppers: tuple[float, ...]
    held: tuple[float, ...]
    n_units: int
    n_for_half: int


class Support(StrictModel):
    """Where the log has never been, or seldom."""

    bands: tuple[SupportBand, ...] = ()
    unseen: tuple[UnseenAction, ...] = ()
    n_unseen: int = 0
    weights: WeightCurve | None = None
    weights_refusal: str | None = None


class FeatureWeight(StrictModel):
    """Mean size of a feature's attributions, in logarithms of odds, and its share of the sum over features."""

    feature: str
    mean_absolute: Spread
    share: float


class Contribution(StrictModel):
    """What one feature adds to the margin, in logarithms of odds; `observed` is its value in words."""

    feature: str
    observed: str
    log_odds: float


class DecisionExample(StrictModel):
    """One decision: the margin is the start (at the mean observation) plus all contributions plus `others`.

    quantile: of its margin among all decisions explained.
    """

    quantile: float
    chosen: str
    runner_up: str
    logged: str
    margin: float
    start: float
    contributions: tuple[Contribution, ...]
    others: float


class RemovalFigures(StrictModel):
    """Effects of setting features to their mean: those named most, against random ones."""

    n_removed: int
    margin_named: Spread
    margin_random: Spread
    moved_named: Spread
    moved_random: Spread
    is_faithful: bool


class ImitationNode(StrictModel):
    """A question of the tree (`feature` given; `low` where its value is at or under `threshold`), or an answer."""

    label: str
    n: int
    share: float
    feature: str | None = None
    kind: Literal["number", "length", "first", "holds"] | None = None
    name: str = ""
    threshold: float | None = None
    low: int | None = None
    high: int | None = None


class ImitationTree(StrictModel):
    """A small tree that imitates the policy, with its agreement on held-out shoppers beside the majority's."""

    speaks_of: Literal["action", "category", "departure"] | None = None
    nodes: tuple[ImitationNode, ...] = ()
    fidelity: Spread | None = None
    majority: Spread | None = None
    n_labels: int = 0
    n_grown: int = 0
    n_held_out: int = 0
    refusal: str | None = None


class DepartureRow(StrictModel):
    """Distance from the log in one segment of decisions."""

    dimension: str
    label: str
    n_decisions: int
    n_shoppers: int
    distance: Spread


class DepartureSummary(StrictModel):
    """Total variation distance of candidate and behavior policy, decision by decision; the furthest segments first."""

    overall: Spread | None = None
    rows: tuple[DepartureRow, ...] = ()
    n_too_small: int = 0
    level: float = 0.95
    refusal: str | None = None


class ExplanationSummary(StrictModel):
    """Why the policy decides as it does; `largest_gap` is by how much attributions miss their sum at most."""

    n_decisions: int = 0
    level: float = 0.95
    largest_gap: float = 0.0
    features: tuple[FeatureWeight, ...] = ()
    examples: tuple[DecisionExample, ...] = ()
    removal: RemovalFigures | None = None
    imitation: ImitationTree | None = None
    departures: DepartureSummary | None = None
    refusal: str | None = None
