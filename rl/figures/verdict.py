"""The gate's answer as it is kept: the decision, why, and what tonight's look might spend."""

from __future__ import annotations

from datetime import date
from typing import Literal

from conf.specs.strict_yaml import StrictModel

Outcome = Literal["promote", "reject", "abstain"]


class CheckFigures(StrictModel):
    """One question of the gate; `is_passed` None: it couldn't be asked."""

    name: str
    is_passed: bool | None
    if_failed: Outcome
    sentence: str
    reads_rewards: bool


class ClosenessFigures(StrictModel):
    """The nearest other verdict, `other`, and whether another seed of the training could well turn tonight's into it.

    hinges_on: names of the checks that would have to turn; moves: how far the farthest of them is from its limit, in
    standard deviations over trainings.
    """

    other: Outcome
    hinges_on: tuple[str, ...]
    moves: float
    is_close: bool


class VerdictFigures(StrictModel):
    """The decision with its reasons, whole sentences, the most important first.

    spends_level: the look counts against the year's allowance of wrong promotions. headlines: what a reader must know
    of the log before anything else, reasons aside. closeness: None where no training could turn the verdict, and in
    evaluations of earlier releases.
    """

    decision: Outcome
    spends_level: bool
    reasons: tuple[str, ...]
    checks: tuple[CheckFigures, ...]
    headlines: tuple[str, ...] = ()
    closeness: ClosenessFigures | None = None


class Allowance(StrictModel):
    """What tonight's look might spend of the year's allowance (`level`, one-sided), and what that rests on.

    per_year: wrong promotions allowed; n_looks, spent: earlier looks that spent something, and their levels' sum;
    since: date of the first.
    """

    level: float
    per_year: float
    n_looks: int
    spent: float
    since: date
