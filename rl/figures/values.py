"""Values of policies: what each estimator says, what is gained, what may not be lost, what is true.

Values are in the scenario's reward unit per episode; shares lie in [0, 1]; None means that it isn't known.
"""

from __future__ import annotations

from typing import Protocol, Self

from conf.specs.strict_yaml import StrictModel

CONTROL = "control"
"""Baseline of gains over the shop's own rule, where a service made a part of the log."""


class Bounds(Protocol):
    """Whatever holds a figure with its bounds."""

    @property
    def value(self) -> float: ...

    @property
    def lower(self) -> float: ...

    @property
    def upper(self) -> float: ...


class Spread(StrictModel):
    """A figure between its bounds."""

    value: float
    lower: float
    upper: float

    @classmethod
    def of(cls, found: Bounds) -> Self:
        """Return the figure and bounds that `found` holds."""
        return cls(value=found.value, lower=found.lower, upper=found.upper)


class LevelSpread(Spread):
    """A figure between two-sided bounds; level: probability of holding the truth that they aim at."""

    level: float


class WeightLimit(StrictModel):
    """The largest weight let through, chosen from the data; None: all weights were left alone.

    levels: tried, from the widest interval to the narrowest, with the value at each and half its interval's width, at
    `confidence`.
    """

    level: float | None
    levels: tuple[float | None, ...] = ()
    values: tuple[float, ...] = ()
    half_widths: tuple[float, ...] = ()
    confidence: float | None = None


class ValueFigures(StrictModel):
    """What one estimator says of one policy; `rl.ope.policy_value.PolicyValueReport` describes each figure."""

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
    chosen_level: WeightLimit | None = None
    mean_ratio: float | None = None
    mean_ratio_error: float | None = None
    behavior_standard_error: float | None = None


class Gain(StrictModel):
    """A candidate's value less a baseline's, paired on the same episodes.

    level: one-sided confidence of each bound. corrected: what it counts for in the average of promoted gains, so that
    this is unbiased; no estimate of this gain. baseline_value: what the baseline earns, by the same estimator.
    interval: at the confidence of the reports, for readers; the gate doesn't read it, and earlier releases didn't keep
    it.
    """

    baseline: str
    estimator: str
    value: float | None
    lower: float | None
    upper: float | None
    level: float
    corrected: float | None = None
    baseline_value: float | None = None
    interval: LevelSpread | None = None


class GuardrailFigures(StrictModel):
    """A side metric that may not rise, or not fall, by more than allowed; shares of the baseline's, a fall is negative.

    One of the two limits is None. lower, upper: bounds of the relative increase, None where unbounded. is_kept: whether
    even the bound stays within the limit; None: it can't be told, and `refusal` may say why.
    """

    metric: str
    max_relative_increase: float | None = None
    max_relative_decrease: float | None = None
    relative_increase: float | None = None
    lower: float | None = None
    upper: float | None = None
    is_bounded: bool = True
    is_kept: bool | None = None
    refusal: str | None = None


class PlayedSpend(StrictModel):
    """What a policy's offers cost in an episode of the simulated shop, and on whom it was spent, in the reward's unit.

    committed: at most. redeemed: in fact. on_sure_things: of that, on those who would have bought in the week anyway.
    on_driven_away: of that, on those whom the offer made less likely to buy.
    """

    committed: float
    redeemed: float
    on_sure_things: float
    on_driven_away: float


class PlayedValue(StrictModel):
    """A policy's value in the simulated shop, by playing it there; `spent` is None of a shop without offers."""

    value: float
    standard_error: float
    n_episodes: int
    spent: PlayedSpend | None = None
