"""Figures of gain against spend, whole and plausible."""

from __future__ import annotations

from typing import Any

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
