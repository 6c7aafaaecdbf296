"""What is found of an experiment, as plain models: experiment.json holds them, the page words them.

Values are means a shopper, in the outcome's unit. Every interval is for itself alone.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from conf.publication import write_atomically
from conf.specs.strict_yaml import StrictModel
from rl.figures.effects import Bounded, DecileFigures, SpendLines

PolicyAnswer = Literal["better", "worse", "cannot_tell", "too_alike"]


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
    spend: SpendLines | None
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
