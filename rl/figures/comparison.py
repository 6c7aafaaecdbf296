"""Two versions of a policy held against each other, in figures; the page of `make compare` is made of it.

Values are in the scenario's reward unit per episode; shares lie in [0, 1]; None means that it isn't known.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from conf.specs.strict_yaml import StrictModel
from rl.figures.values import Gain, Spread

DATASET, CODE = "dataset digest", "code and pins"
"""Names of what tells whether both learned from the same data, by the same code."""


class ComparedVersion(StrictModel):
    """A version as it was judged on its own night.

    aliases: that it holds now. decision: what people decided about it, in words; empty where nobody did. gain: over
    what it was compared with then; None where none was estimated, or its evaluation is gone.
    """

    version: int
    date: date
    source: str
    verdict: str
    candidate: str
    compared_with: str
    aliases: tuple[str, ...] = ()
    decision: str = ""
    gain: Gain | None = None


class Difference(StrictModel):
    """Something that is not the same in both; empty where one lacks it."""

    name: str
    a: str
    b: str


class SectionDifference(StrictModel):
    """How many keys differ in a section of the specs, such as `scenario.gate`.

    only: `a` or `b` where the other one has nothing of the section at all; empty where both have some of it.
    """

    name: str
    n_keys: int
    only: Literal["", "a", "b"] = ""


class PairedValues(StrictModel):
    """Values of both on the same episodes, and B's less A's.

    rests_on: which episodes, in words. level: of all three intervals, two-sided.
    """

    estimator: str
    level: float
    rests_on: str
    difference: Spread
    a: Spread | None = None
    b: Spread | None = None


class ActionChange(StrictModel):
    """How often an action would be chosen, as shares of all decisions."""

    action: str
    a: float
    b: float


class SegmentChange(StrictModel):
    """Share of decisions that differ in one segment."""

    dimension: str
    label: str
    n_decisions: int
    n_units: int
    distance: Spread


class DecisionChanges(StrictModel):
    """Where the two decide differently: mean total variation distance, decision by decision.

    actions: those whose share changes most. segments: the furthest first.
    """

    n_decisions: int
    n_units: int
    overall: Spread
    actions: tuple[ActionChange, ...]
    segments: tuple[SegmentChange, ...]


class VersionComparison(StrictModel):
    """Everything that is said of two versions; where a part has a refusal, that sentence stands in its place.

    sections: of the specs, in which keys differ. same: names of what is known of both and is the same in both, as
    differences in `data` are named. simulated_stock: what is declared of stock that no log counts, in words.
    """

    model: str
    scenario_title: str
    reward_unit: str
    units: str
    a: ComparedVersion
    b: ComparedVersion
    specs: tuple[Difference, ...] = ()
    sections: tuple[SectionDifference, ...] = ()
    specs_refusal: str | None = None
    data: tuple[Difference, ...] = ()
    same: tuple[str, ...] = ()
    data_refusal: str | None = None
    paired: PairedValues | None = None
    paired_refusal: str | None = None
    decisions: DecisionChanges | None = None
    decisions_refusal: str | None = None
    simulated_stock: tuple[str, ...] = ()
