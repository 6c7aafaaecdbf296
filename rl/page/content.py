"""What the review page says, as plain models: the evaluation fills them, the page only words and draws them.

Values are in the scenario's reward unit per episode; shares lie in [0, 1]; None means that it isn't known.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from conf.strict_yaml import StrictModel
from rl.learning.curves import Curve
from rl.page.evidence_content import Doubts, ExplanationSummary, HistoryRow, Loggers, Opinions, Segments, Support
from rl.page.returns_content import Returns

Role = Literal["behavior", "candidate", "champion"]
Outcome = Literal["promote", "reject", "abstain"]


class Night(StrictModel):
    """Which night the page is about, and in what its values are counted."""

    scenario: str
    scenario_title: str
    source: str
    source_title: str
    date: date
    decisions: Literal["logged", "implied"]
    is_simulated: bool
    reward_unit: str
    steps: int
    gamma: float
    approval: Literal["human", "auto"]


class Gain(StrictModel):
    """A candidate's value less a baseline's, paired on the same episodes.

    level: one-sided confidence of each bound. corrected: what it counts for in the average of promoted gains, so that
    this is unbiased; no estimate of this gain.
    """

    baseline: str
    estimator: str
    value: float | None
    lower: float | None
    upper: float | None
    level: float
    corrected: float | None = None
    baseline_value: float | None = None


class Judgment(StrictModel):
    """The gate's answer in words: reasons are whole sentences, the most important first.

    headlines: what a reader must know of the log before anything else, reasons aside.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    candidate: str
    gain: Gain | None
    notes: tuple[str, ...] = ()
    headlines: tuple[str, ...] = ()


class Estimate(StrictModel):
    """One estimator's value of one policy; `refusal` is the reason where it gives none.

    is_second_opinion: it checks the gate's estimate and decides nothing.

    chosen_level: the largest weight let through, chosen from the data; None where the estimator has no such level, or
    left all weights alone. n_levels: how many levels were tried; 0 where it has none.
    """

    estimator: str
    value: float | None
    lower: float | None
    upper: float | None
    standard_error: float | None = None
    refusal: str | None = None
    is_gate: bool = False
    is_prediction: bool = False
    is_second_opinion: bool = False
    chosen_level: float | None = None
    n_levels: int = 0


class TrueValue(StrictModel):
    """A policy's value in the simulated shop, by playing it there."""

    value: float
    standard_error: float
    n_episodes: int


class Overlap(StrictModel):
    """How much the log can say about a policy.

    effective_rewarded: effective number of units with a reward. share_outside_support: how often the policy takes
    actions that stand nowhere in the log. mean_ratio, mean_ratio_error: of importance ratios, the share of what the
    policy would do in the logged situations that the log can have done. weight_clip: limit on importance weights, None
    for none; share_clipped: share of decisions at which it bites. share_cut: share of episodes that the log cuts before
    their value ends.
    """

    n_episodes: int
    n_units: int
    effective_sample_size: float | None
    effective_rewarded: float | None
    max_weight: float | None
    share_outside_support: float | None
    mean_ratio: float | None = None
    mean_ratio_error: float | None = None
    weight_clip: float | None = None
    share_clipped: float | None = None
    share_cut: float | None = None
    refusal: str | None = None


class PolicyReport(StrictModel):
    """Everything estimated about one policy on the test episodes."""

    role: Role
    name: str
    estimates: tuple[Estimate, ...]
    level: float
    overlap: Overlap | None = None
    truth: TrueValue | None = None


class Guardrail(StrictModel):
    """A side metric that may not rise, or not fall, by more than allowed; values per episode, a fall is negative.

    One of the two limits is None. `is_kept` None: can't be told.
    """

    metric: str
    behavior: float | None
    candidate: float | None
    max_relative_increase: float | None = None
    max_relative_decrease: float | None = None
    relative_increase: float | None
    is_kept: bool | None
    detail: str


class CalibrationBin(StrictModel):
    """Decisions whose estimated propensity lies in a band: mean estimate against how often it was so."""

    n: int
    predicted: float
    observed: float


class Propensities(StrictModel):
    """Where the behavior policy's probabilities come from; `calibration` where they are estimated."""

    source: Literal["logged", "estimated", "none"]
    note: str
    calibration_error: float | None = None
    calibration: tuple[CalibrationBin, ...] = ()


class SplitSummary(StrictModel):
    """A split's boundaries (UTC) and size."""

    name: str
    start: str
    end: str
    n_episodes: int
    n_transitions: int


class IngestCounts(StrictModel):
    """Where the delivered lines went: accepted + rejected + not yet = lines."""

    n_lines: int
    n_accepted: int
    n_derived: int
    n_rejected: int
    n_not_yet: int
    rejected: dict[str, int]


class RewardBalance(StrictModel):
    """Where the reward went: events = transitions + residuals, in millionths of the unit."""

    events: int
    transitions: int
    residuals: dict[str, int]


class DataSummary(StrictModel):
    """What the policy was learned from."""

    dates: tuple[date, ...]
    n_transitions: int
    n_episodes: int
    n_actions: int
    n_features: int
    splits: tuple[SplitSummary, ...]
    ingest: IngestCounts | None = None
    reward: RewardBalance | None = None
    counters: dict[str, int] = Field(default_factory=dict)


class ActionShare(StrictModel):
    """How often an action is taken on the test episodes: by the log, and expected under the candidate."""

    action: str
    log: float
    candidate: float


class Ranking(StrictModel):
    """How well something guesses the next action: a policy or a baseline, on the test episodes."""

    name: str
    is_baseline: bool
    k: int
    hit_rate: float
    ndcg: float
    n: int


class CandidateRow(StrictModel):
    """A candidate as seen on the validation episodes, with the network and at the temperature chosen there.

    update: after how many updates the network was kept; n_updates: that training did; None where it isn't recorded.
    certainty: gain over the behavior policy in units of its standard error. is_supported: the log can judge it.
    """

    name: str
    algorithm: str
    seed: int
    update: int | None = None
    n_updates: int | None = None
    temperature: float
    estimator: str
    value: float | None
    lower: float | None
    upper: float | None
    effective_sample_size: float | None
    seconds: float | None
    certainty: float | None = None
    is_supported: bool = True
    is_selected: bool


class LineageRow(StrictModel):
    """A digest, hash or version that names what the entry was made from."""

    name: str
    value: str


class ReviewContent(StrictModel):
    """The whole page; `history` None: the registry wasn't asked."""

    night: Night
    judgment: Judgment
    policies: tuple[PolicyReport, ...]
    returns: Returns | None = None
    guardrails: tuple[Guardrail, ...] = ()
    propensities: Propensities
    data: DataSummary
    actions: tuple[ActionShare, ...] = ()
    distance_from_log: float | None = None
    doubts: Doubts | None = None
    opinions: Opinions | None = None
    loggers: Loggers | None = None
    segments: Segments | None = None
    explanation: ExplanationSummary | None = None
    support: Support | None = None
    history: tuple[HistoryRow, ...] | None = None
    curves: tuple[Curve, ...] = ()
    ranking: tuple[Ranking, ...] = ()
    candidates: tuple[CandidateRow, ...] = ()
    lineage: tuple[LineageRow, ...] = ()
    model: str | None = None
    version: str | None = None
