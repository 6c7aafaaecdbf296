"""A ledger of launches, plausible; tests override what matters to them."""

from __future__ import annotations

from datetime import date
from typing import Any

from rl.figures.monitor import Earned, LaunchFigures, LedgerFigures, Promised


def promised(value: float = 0.5, **overrides: Any) -> Promised:
    content = {"value": value, "corrected": 0.9 * value, "lower": value - 0.3, "upper": value + 0.3, "level": 0.99}
    return Promised(**(content | overrides))


def earned(value: float = 0.4, **overrides: Any) -> Earned:
    content = {"lower": value - 0.2, "upper": value + 0.2, "standard_error": 0.07, "n_days": 20, "n_shoppers": 900}
    return Earned(**(content | {"value": value} | overrides))


def launch(version: int = 3, **overrides: Any) -> LaunchFigures:
    content = {
        "version": version,
        "policy_version": f"policy-{version}",
        "launched": date(2026, 3, version),
        "promised": promised(),
        "earned": earned(),
        "standing": "kept",
        "score": -0.8,
    }
    return LaunchFigures(**(content | overrides))


def ledger(*launches: LaunchFigures, **overrides: Any) -> LedgerFigures:
    content = {
        "launches": launches or (launch(2), launch(3)),
        "n_compared": 2,
        "calibration": 0.89,
        "lower": 0.7,
        "upper": 1.1,
        "level": 0.95,
        "sentence": "2 launches earned 89% of what was promised, luck taken out.",
        "reward_unit": "points",
    }
    return LedgerFigures(**(content | overrides))
