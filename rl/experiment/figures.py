"""What is found of an experiment, as plain models: experiment.json holds them, the page words them.

Values are means a shopper, in the outcome's unit. Every interval is for itself alone.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from conf.publication import write_atomically
from conf.specs.strict_yaml import StrictModel

PolicyAnswer = Literal["better", "worse", "cannot_tell", "too_alike"]


class Bounded(StrictModel):
    """A figure between its bounds."""

    value: float
    lower: float
    upper: float

    @property
    def half_width(self) -> float:
        return (self.upper - self.lower) / 2


class ArmFigures(StrictModel):
    """An action of the experiment: how many got it, what it costs, and the mean of those who did.

    mean: self-normalised by propensity; with equal propensities the plain mean. cost: None where none is declared.
    """

    name: str
    n: int
    cost: float | None
    mean: Bounded


class PolicyFigures(StrictModel):
    """A policy on shoppers that its models never saw.

    name: of the action, learner or candidate. share_asked: of shoppers that it was told to treat differently, where it
    was told. share_different: that it does treat differently from the best arm. gain: over the best arm, paired.
    """

    kind: Literal["arm", "learner", "night"]
    name: str
    share_asked: float | None = None
    share_different: float
    value: Bounded
    gain: Bounded
    answer: PolicyAnswer


class Resolution(StrictModel):
    """How surely a policy can be told from the best arm that treats a share of shoppers differently.

    half_width: of the gain's interval. half_width_share: of the best arm's value; None where that is 0 or less.
    """

    share: float
    half_width: float
    half_width_share: float | None


class OutcomeFigures(StrictModel):
    """All that was seen of one outcome: the reward, or a side metric.

    best_arms: names of the best arm by fold of shoppers, each once. best_value: of giving it to everybody.
    """

    name: str
    unit: str
    arms: tuple[ArmFigures, ...]
    best_arms: tuple[str, ...]
    best_value: Bounded
    policies: tuple[PolicyFigures, ...]
    resolution: tuple[Resolution, ...]


class CurveLine(StrictModel):
    """A way of spending: what it brings at the spends of the table, and the points of its curve, thinned.

    name: of the learner whose order is walked, or of an action that a random share of shoppers gets.
    """

    kind: Literal["learner", "arm"]
    name: str
    spend: tuple[float, ...]
    gain: tuple[float, ...]
    at: tuple[Bounded, ...]


class SpendFigures(StrictModel):
    """What money brings by policy: gain over nothing, before its cost, at spends a shopper.

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


class Recipe(StrictModel):
    """How the night's selected candidate is trained, refitted in each fold: it was chosen on validation shoppers."""

    candidate: str
    update: int
    temperature: float
    exploration_floor: float


class ExperimentFigures(StrictModel):
    """The whole report.

    recipe: None where no night was evaluated on the dataset; `recipe_refusal` says so. spend, deciles likewise.
    least_share: policies that treat fewer differently from the best arm aren't judged.
    """

    source: str
    source_title: str
    scenario: str
    scenario_title: str
    date: date
    earns: str
    n_shoppers: int
    n_folds: int
    level: float
    steps: int
    least_share: float
    outcomes: tuple[OutcomeFigures, ...]
    spend: SpendFigures | None
    spend_refusal: str | None = None
    deciles: DecileFigures | None
    deciles_refusal: str | None = None
    recipe: Recipe | None
    recipe_refusal: str | None = None
    dataset_digest: str
    code_hash: str

    def write(self, path: Path) -> None:
        """Write the figures to the file, replacing it atomically."""
        write_atomically(path, self.model_dump_json(indent=1))
