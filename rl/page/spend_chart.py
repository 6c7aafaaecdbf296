"""Gain against spend: the curve with its interval and today's budget in a box of 100 by 100, rows, and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rl.figures.night import NightFacts
from rl.figures.spend import SpendFigures, SpendPoint, SpendRule
from rl.page.axis import Axis, Tick, axis_over
from rl.page.wording import count, interval, number, share, signed, signed_range

_ALIKE = 0.05
"""Share of the budget by which what is committed may differ from it without a word."""
_RULE_NAMES = {
    "nobody": "Nobody gets anything",
    "behavior": "The shop as it decided until now",
    "any offer to anybody": "Any offer to anybody",
}


@dataclass(frozen=True)
class Spot:
    """A rule's place in the box, in percent from its left and its top."""

    name: str
    left: float
    top: float


@dataclass(frozen=True)
class SpendChart:
    """The curve.

    Attributes:
        line: through nothing and the budgets.
        band: between the bounds.
        today: where today's budget stands, in percent from the left.
        zero: where no gain is, in percent from the top.
        spots: rules whose gain the axis holds.
        x_ticks: money a week.
        y_ticks: gain a week.
    """

    line: str
    band: str
    today: float
    zero: float
    spots: tuple[Spot, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def spend_context(spend: SpendFigures | None, night: NightFacts) -> dict[str, Any]:
    """Return what the partial template reads beside the content: chart, rows and one plain sentence."""
    if spend is None or not spend.points:
        return {"spend_chart": None, "spend_rows": (), "has_steps": False, "spend_rules": (), "spend_sentence": ""}
    return {
        "spend_chart": _chart(spend),
        "spend_rows": tuple(_row(point) for point in spend.points),
        "has_steps": any(point.step is not None for point in spend.points),
        "spend_rules": tuple(_rule_row(rule) for rule in spend.rules),
        "spend_sentence": _sentence(spend, night.reward_unit),
    }


def _chart(spend: SpendFigures) -> SpendChart:
    points = sorted(spend.points, key=lambda point: point.spend)
    spends = [0.0, spend.weekly_budget, *(point.spend for point in points), *(rule.spend for rule in spend.rules)]
    x_axis = Axis(0.0, max(spends) * 1.04 or 1.0)
    # Rules that the log hardly tried may be estimated anywhere: they stand in the table, and don't stretch the axis.
    y_axis = axis_over([0.0, *(one for point in points for one in (point.lower, point.upper))], margin=0.25)

    def corners(values: list[tuple[float, float]]) -> str:
        return " ".join(f"{x_axis.percent(x):g},{round(100 - y_axis.percent(y), 2):g}" for x, y in values)

    return SpendChart(
        line=corners([(0.0, 0.0), *((point.spend, point.gain) for point in points)]),
        band=corners(
            [
                (0.0, 0.0),
                *((point.spend, point.upper) for point in points),
                *((point.spend, point.lower) for point in reversed(points)),
            ]
        ),
        today=x_axis.percent(spend.weekly_budget),
        zero=round(100 - y_axis.percent(0.0), 2),
        spots=tuple(
            Spot(_rule_name(rule), x_axis.percent(rule.spend), round(100 - y_axis.percent(rule.gain), 2))
            for rule in spend.rules
            if rule.refusal is None and y_axis.holds(rule.gain)
        ),
        x_ticks=x_axis.ticks(4),
        y_ticks=y_axis.ticks(4),
    )


def _row(point: SpendPoint) -> dict[str, str]:
    return {
        "share": share(point.share),
        "budget": count(point.budget),
        "price": number(point.price),
        "spend": count(point.spend),
        "gain": signed(point.gain),
        "bounds": interval(point.lower, point.upper),
        "step": _step(point),
    }


def _step(point: SpendPoint) -> str:
    """Return what the row's money brings over the row above, or that the two can't be told apart; "" at the first."""
    if point.step is None or point.step_lower is None or point.step_upper is None:
        return ""
    if point.step_lower == point.step_upper == 0:
        return "the same"
    told = f"{signed(point.step)} ({signed_range(point.step_lower, point.step_upper)})"
    return f"{told}: can't be told apart" if point.step_lower <= 0 <= point.step_upper else told


def _rule_row(rule: SpendRule) -> dict[str, str]:
    if rule.refusal is not None:
        return {"name": _rule_name(rule), "spend": count(rule.spend), "refusal": rule.refusal}
    return {
        "refusal": "",
        "name": _rule_name(rule),
        "spend": count(rule.spend),
        "gain": signed(rule.gain),
        "bounds": interval(rule.lower, rule.upper),
        "ahead": signed(rule.ahead),
        "ahead_bounds": interval(rule.ahead_lower, rule.ahead_upper),
    }


def _rule_name(rule: SpendRule) -> str:
    """Return a rule's name; an offer's key in it stays as the shop writes it."""
    return _RULE_NAMES.get(rule.name, rule.name)


def _sentence(spend: SpendFigures, unit: str) -> str:
    """Return what today's budget brings, and what twice or half of it would."""
    by_share = {point.share: point for point in spend.points}
    today = by_share.get(1.0)
    if today is None:
        return ""
    said = (
        f"At today's budget of {count(spend.weekly_budget)} {unit} a week the candidate is expected to commit "
        f"{count(today.spend)} on the weeks it is judged by, and to bring "
        f"{signed(today.gain)} {unit} a week over sending nothing ({signed_range(today.lower, today.upper)})"
    )
    others = [
        f"{word} the budget {signed(by_share[part].gain)} ({signed_range(by_share[part].lower, by_share[part].upper)})"
        for part, word in ((0.5, "half"), (2.0, "twice"))
        if part in by_share
    ]
    more = f"; {' and '.join(others)}" if others else ""
    idle = " The budget doesn't bind: with more money the same would be sent." if today.price == 0 else ""
    return f"{said}{more}.{_apart(today.spend, spend.weekly_budget)}{idle}"


def _apart(committed: float, budget: float) -> str:
    """Return what it means that the weeks of the test commit another sum than the budget; nothing where they don't."""
    if budget <= 0 or abs(committed / budget - 1) <= _ALIKE:
        return ""
    way = "more" if committed > budget else "less"
    return (
        f" That is {share(abs(committed / budget - 1))} {way} than the budget, since its price was fixed on earlier "
        "weeks with other shoppers: what is judged, here and by the gate, commits that sum. A list keeps its own "
        "week's budget, at the price that this takes."
    )
