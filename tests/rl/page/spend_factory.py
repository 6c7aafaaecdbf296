"""Figures of gain against spend, whole and plausible."""

from __future__ import annotations

from typing import Any

from rl.figures.effects import Bounded, CurveLine, Decile, DecileFigures, OneDecision, SpendLines
from rl.figures.spend import SpendFigures, SpendPoint, SpendRule


def point(share: float, spend: float, gain: float, **overrides: Any) -> SpendPoint:
    content = {"budget": 1000 * share, "price": 0.3, "lower": gain - 50, "upper": gain + 50}
    return SpendPoint(**{"share": share, "spend": spend, "gain": gain, **content, **overrides})


def rule(name: str, spend: float, gain: float) -> SpendRule:
    bounds = {"lower": gain - 40, "upper": gain + 40}
    return SpendRule(name=name, spend=spend, gain=gain, **bounds, ahead=100, ahead_lower=20, ahead_upper=180)


def spend(**overrides: Any) -> SpendFigures:
    content: dict[str, Any] = {
        "weekly_budget": 1000,
        "level": 0.95,
        "n_shoppers": 812.4,
        "points": (point(0.5, 480, 200), point(1.0, 960, 320), point(2.0, 1900, 380)),
        "rules": (rule("letter to anybody", 950, 220), rule("behavior", 1400, 250), rule("nobody", 0, 0)),
    }
    return SpendFigures(**{**content, **overrides})


def bounded(value: float) -> Bounded:
    return Bounded(value=value, lower=value - 0.1, upper=value + 0.1)


def one_decision(**overrides: Any) -> OneDecision:
    lines = SpendLines(
        spends=(0.5, 1.0),
        lines=(
            CurveLine(kind="candidate", name="cql-1", spend=(0, 1), gain=(0, 0.8), at=(bounded(0.5), bounded(0.8))),
            CurveLine(kind="learner", name="dr_learner", spend=(0, 1), gain=(0, 0.7), at=(bounded(0.4), bounded(0.7))),
            CurveLine(kind="arm", name="letter", spend=(0, 9), gain=(0, 0.9), at=(bounded(0.1), bounded(0.2))),
        ),
        ahead=(bounded(0.4), bounded(0.6)),
        ahead_of="letter",
        nothing="none",
    )
    tenths = tuple(Decile(n=80, predicted=1 - 0.1 * place, effect=bounded(1 - 0.1 * place)) for place in range(10))
    deciles = DecileFigures(learner="dr_learner", nothing="none", deciles=tenths, spread=bounded(0.9))
    content: dict[str, Any] = {
        "n_shoppers": 812,
        "level": 0.95,
        "n_folds": 5,
        "weekly_budget": 1.25,
        "lines": lines,
        "deciles": deciles,
    }
    return OneDecision(**{**content, **overrides})
