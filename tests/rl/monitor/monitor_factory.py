"""Figures of a monitor's page, as a service's days would make them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from rl.figures.effects import Bounded
from rl.figures.monitor import (
    Alert,
    ArmFigures,
    ArrivalFigures,
    DayFigures,
    FrequencyFigures,
    MonitorFigures,
    SeriesFigures,
)
from tests.rl.page.launches_factory import launch, ledger

FIRST = date(2026, 3, 3)


def day(number: int, **overrides: Any) -> DayFigures:
    arm = ArmFigures(n_episodes=100, value=2.0, lower=1.8, upper=2.2)
    content = {
        "day": FIRST + timedelta(days=number),
        "is_settled": True,
        "champion": arm,
        "control": arm,
        "gain": Bounded(value=0.4, lower=-0.2, upper=1.0),
        "running": Bounded(value=0.4, lower=0.4 - 1 / (number + 1), upper=0.4 + 1 / (number + 1)),
    }
    return DayFigures(**(content | overrides))


def figures(**overrides: Any) -> MonitorFigures:
    content = {
        "source": "simulated_shop",
        "source_title": "The simulated shop",
        "scenario": "recommendation",
        "scenario_title": "What to show <next>",
        "date": FIRST + timedelta(days=12),
        "reward_unit": "points",
        "steps": 40,
        "version": 3,
        "policy_version": "policy-3",
        "level": 0.95,
        "false_alarms_a_year": 0.5,
        "on_broken_promise": "alert",
        "days": (*(day(number) for number in range(9)), day(9, is_settled=False, running=None, there=0.8, whole=2.5)),
        "launch": launch(3),
        "ledger": ledger(),
        "arrivals": (
            ArrivalFigures(
                day=FIRST,
                n_logged=9,
                n_arrived=7,
                n_missing=2,
                missing=("a", "b"),
                n_strange=0,
                strange=(),
                is_due=True,
            ),
        ),
        "frequencies": (
            FrequencyFigures(
                day=FIRST, policy_version="p", n_decisions=80, n_explained=78, statistic=9.1, degrees=8, p_value=0.33
            ),
        ),
        "series": (SeriesFigures(kind="mean", name="n_session_clicks", figure=1.2, expected=1.1, evidence=0.02),),
        "alerts": (Alert(kind="missing_decisions", day=FIRST, subject="log", sentence="2 of 9 never <arrived>."),),
    }
    return MonitorFigures(**(content | overrides))
