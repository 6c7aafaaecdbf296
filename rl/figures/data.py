"""What a night learned from: dates, splits, where lines and rewards went."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from conf.specs.strict_yaml import StrictModel


class SplitSummary(StrictModel):
    """A split's boundaries (UTC) and size."""

    name: str
    start: str
    end: str
    n_episodes: int
    n_transitions: int


class PersonsWord(StrictModel):
    """A delivery about which a person decided: why, whose word it is and when, as far as that is known.

    problem: what was wrong with it, where it could not be landed.
    """

    delivery: date
    reason: str
    who: str = ""
    at: str = ""
    problem: str = ""


class IngestCounts(StrictModel):
    """Where the delivered lines went: accepted + rejected + not yet = lines.

    n_unended_files: files whose last line has no end, among those of the deliveries up to the night: perhaps cut off.
    unended_files: their names, where the release that landed them told.
    drift: what differs in the deliveries up to the night from those before them, a sentence each, the latest first.
    accepted: deliveries that were published as they are, since a person said so.
    left_out: deliveries that could not be landed, and that a person left out.
    unknown_event_types: event types that the source doesn't know, with their lines.
    """

    n_lines: int
    n_accepted: int
    n_derived: int
    n_rejected: int
    n_not_yet: int
    rejected: dict[str, int]
    n_unended_files: int = 0
    unended_files: tuple[str, ...] = ()
    accepted: tuple[PersonsWord, ...] = ()
    left_out: tuple[PersonsWord, ...] = ()
    unknown_event_types: dict[str, int] = Field(default_factory=dict)
    drift: tuple[str, ...] = ()


class RewardBalance(StrictModel):
    """Where the reward went: events = transitions + action_cost + residuals, in millionths of the unit.

    `events_without_money` counts events that earned nothing because the log doesn't say their money.
    """

    events: int
    transitions: int
    residuals: dict[str, int]
    action_cost: int = 0
    events_without_money: int = 0


class DataSummary(StrictModel):
    """What the policy was learned from.

    quarantined: episodes and decisions set aside, and decisions that can't be used by reason; empty where none are.
    main_cause: what set most of the decisions aside, a sentence without its full stop; empty where most are there.
    """

    dates: tuple[date, ...]
    n_transitions: int
    n_episodes: int
    n_actions: int
    n_features: int
    splits: tuple[SplitSummary, ...]
    ingest: IngestCounts | None = None
    reward: RewardBalance | None = None
    quarantined: dict[str, int] = Field(default_factory=dict)
    main_cause: str = ""
    counters: dict[str, int] = Field(default_factory=dict)


class CalibrationBin(StrictModel):
    """Decisions whose estimated propensity lies in a band: mean estimate against how often it was so."""

    n: int
    predicted: float
    observed: float


class Propensities(StrictModel):
    """Where the behavior policy's probabilities come from; the figures on calibration where they are estimated.

    calibration_error: of the likeliest action. misplaced_share: choices per decision that the bins misplace, 0 to 2.
    log_loss: mean -log probability of the logged action; log_loss_uniform: of a uniform choice.
    """

    source: str
    note: str
    calibration_error: float | None = None
    calibration: tuple[CalibrationBin, ...] = ()
    misplaced_share: float | None = None
    log_loss: float | None = None
    log_loss_uniform: float | None = None
