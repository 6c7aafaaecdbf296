"""What actions do to whom, as plain models: what money brings by whose order it is spent, and effects by tenths."""

from __future__ import annotations

from typing import Literal

from conf.specs.strict_yaml import StrictModel


class Bounded(StrictModel):
    """A figure between its bounds."""

    value: float
    lower: float
    upper: float

    @property
    def half_width(self) -> float:
        return (self.upper - self.lower) / 2


class CurveLine(StrictModel):
    """A way of spending: what it brings at the spends of the table, and the points of its curve, thinned.

    kind, name: a learner, or a night's candidate, whose order is walked; or an action that a random share of shoppers
    gets.
    """

    kind: Literal["learner", "candidate", "arm"]
    name: str
    spend: tuple[float, ...]
    gain: tuple[float, ...]
    at: tuple[Bounded, ...]


class SpendLines(StrictModel):
    """What money brings by whose order it is spent: gain over nothing at spends a shopper.

    ahead: how much more the first line brings than the best action at random, at each spend, paired.
    """

    spends: tuple[float, ...]
    lines: tuple[CurveLine, ...]
    ahead: tuple[Bounded, ...]
    ahead_of: str
    nothing: str


class Decile(StrictModel):
    """A tenth of the shoppers by predicted effect, the highest first: what was predicted, and what came of it."""

    n: int
    predicted: float
    effect: Bounded


class DecileFigures(StrictModel):
    """Effects by tenths of the action that each shopper gains most by, over nothing; `spread`: first less last."""

    learner: str
    nothing: str
    deciles: tuple[Decile, ...]
    spread: Bounded


class OneDecision(StrictModel):
    """The first test week as one decision: what money brings there, the log's policy deciding all later weeks.

    Means a shopper, in the reward's unit.

    Attributes:
        n_shoppers: who were decided on in that week.
        level: of all intervals.
        n_folds: that shoppers were dealt into; nobody is judged by a model that saw them.
        weekly_budget: today's, a shopper.
        lines: of each order and each action at random; None with a refusal.
        refusal: why there are no curves.
        deciles: effects by tenths of the shoppers; None with a refusal of their own.
        deciles_refusal: why there are no tenths.
    """

    n_shoppers: int
    level: float
    n_folds: int
    weekly_budget: float
    lines: SpendLines | None = None
    refusal: str | None = None
    deciles: DecileFigures | None = None
    deciles_refusal: str | None = None
