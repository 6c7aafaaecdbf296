"""The exploration plan in sentences: for the page, for the night's last line, and for whoever approves it."""

from __future__ import annotations

from rl.figures.exploration import ExplorationFigures, ExploredShoppers
from rl.page import wording

EVERYBODY = "all shoppers"
"""Label of a plan that tells no shoppers apart."""


def plan_sentence(found: ExplorationFigures, *, reward_unit: str) -> str:
    """Return the plan in one sentence, or why there is none.

    Args:
        found: of the night.
        reward_unit: in which costs are told.
    """
    if found.refusal is not None:
        return f"No exploration plan: {found.refusal}."
    who = " and ".join(_followed(one) for one in found.shoppers if one.share > 0)
    return (
        f"A verdict in about {_nights(found.nights)} if {who} follow the candidate; "
        f"{_cost(found, reward_unit=reward_unit)}."
    )


def doubt_sentence(found: ExplorationFigures) -> str:
    """Return how sure the forecast is, and what other ways would take."""
    return (
        f"One time in ten it comes within {_nights(found.soonest)}, and one in ten {_later(found.latest)}; "
        f"within a year it comes with a chance of {found.chance:.0%}, and then says in "
        f"{_of(found.chance_better, found.chance)} of cases that the candidate is better. Without exploring it would "
        f"take {_nights(found.unexplored_nights)}; with uniform choices that may cost as much, "
        f"{_nights(found.uniform_nights)}."
    )


def _followed(one: ExploredShoppers) -> str:
    named = "" if one.label == EVERYBODY else f" ({one.label})"
    return f"{wording.share(one.share)} of the decisions{named}"


def _cost(found: ExplorationFigures, *, reward_unit: str) -> str:
    worst = f"at worst {wording.number(found.worst_cost)} (one time in twenty more)"
    if found.cost <= 0:
        return f"it is expected to cost nothing, and costs {worst} {reward_unit} a night"
    return f"it costs about {wording.number(found.cost)} {reward_unit} a night, {worst}"


def _nights(nights: float | None) -> str:
    if nights is None:
        return "more than a year"
    return wording.counted(nights, "night")


def _later(nights: float | None) -> str:
    return "not within a year" if nights is None else f"later than after {_nights(nights)}"


def _of(part: float, whole: float) -> str:
    return f"{part / whole:.0%}" if whole > 0 else "none"
