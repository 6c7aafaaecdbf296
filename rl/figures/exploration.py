"""What to explore next, in figures: the plan of a night without a verdict, and the artifact that a service follows."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from conf.specs.strict_yaml import StrictModel


class ExploredShoppers(StrictModel):
    """One stratum of decisions: `share` of them follows the candidate; `part`: of all decisions, those in the stratum.

    actions: natural keys of what the candidate does there more often than what it is compared with, most first.
    """

    label: str
    share: float
    part: float
    actions: tuple[str, ...] = ()


class ExplorationFigures(StrictModel):
    """The plan, or why there is none (`refusal`); None: not within a year, or not known.

    dimension: what tells the strata apart. nights, soonest, latest: until a verdict, as likely sooner as later, and one
    in ten sooner or later. chance: of a verdict within a year; chance_better: of one that the candidate is better.
    planned_nights: after which it ends. cost, worst_cost: of a night in the reward's unit, expected (below 0: earns),
    and but for a chance of one in twenty. uniform_nights: that uniform choices at the same worst cost would take.
    unexplored_nights: that the compared policy's own log would take. is_allowed: the spec lets a service follow it.
    """

    refusal: str | None = None
    dimension: str = ""
    shoppers: tuple[ExploredShoppers, ...] = ()
    nights: float | None = None
    soonest: float | None = None
    latest: float | None = None
    chance: float = 0.0
    chance_better: float = 0.0
    planned_nights: int = 0
    cost: float = 0.0
    worst_cost: float = 0.0
    uniform_nights: float | None = None
    unexplored_nights: float | None = None
    is_allowed: bool = False


PLAN_FILE = "exploration.json"
"""Artifact of a night's run: its plan."""


class ExplorationPlan(StrictModel):
    """What a service follows once a person has approved it: shares of decisions that follow a version.

    version: registered, that explored decisions follow. champion: version in force on its night, that the others
    follow; another champion voids the plan. shares: by label of the dimension. last_day: business day on which it ends.
    """

    model: str
    version: int
    champion: int
    dimension: str
    shares: dict[str, float] = Field(min_length=1)
    last_day: date
