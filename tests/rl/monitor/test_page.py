"""The monitor's page: the picture first, and every text escaped."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

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
from rl.monitor.page import gain_chart, headline, render_monitor_page
from tests.rl.page.launches_factory import earned, launch, ledger, promised

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


def test_the_picture_stands_first_with_promise_and_bounds() -> None:
    page = render_monitor_page(figures())
    assert page.index("<svg") < page.index("What you should know") < page.index("Do our offline numbers predict?")
    chart = gain_chart(figures())
    assert chart is not None and chart.promised is not None
    assert len(chart.dots) == 10
    assert len(chart.line.split()) == 9
    top, height = chart.promised
    assert top < chart.promised_value < top + height


def test_every_text_is_escaped() -> None:
    page = render_monitor_page(figures())
    assert "What to show &lt;next&gt;" in page
    assert "never &lt;arrived&gt;" in page


def test_days_that_are_open_say_what_may_come_of_them() -> None:
    page = render_monitor_page(figures())
    assert "80.0% is usually in by now, so 2.50 may come of the champion" in page
    assert page.count('class="spot early"') == 1


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({}, "the promise is kept"),
        ({"launch": launch(3, standing="broken")}, "the promise is broken"),
        ({"launch": launch(3, standing="open")}, "too early to tell"),
        ({"launch": launch(3, promised=None)}, "nothing was promised"),
        ({"launch": launch(3, earned=None, refusal="nobody is held out")}, "isn't known: nobody is held out."),
    ],
)
def test_one_sentence_says_how_the_champion_does(overrides: dict[str, Any], said: str) -> None:
    assert said in headline(figures(**overrides))


def test_without_anything_known_the_page_says_why() -> None:
    bare = figures(
        days=(),
        launch=launch(3, promised=None, earned=None, refusal="nobody is held out"),
        arrivals=(),
        arrivals_refusal="there is no log",
        frequencies=(),
        frequencies_refusal="it was deleted",
        alerts=(),
        series=(),
    )
    page = render_monitor_page(bare)
    assert gain_chart(bare) is None
    for said in ("Not compared: there is no log.", "Not compared: it was deleted.", "Nothing: no alert so far."):
        assert said in page


def test_a_rollback_is_told() -> None:
    broken = launch(3, standing="broken", promised=promised(2.0), earned=earned(0.0))
    assert "rolled back to version 2" in render_monitor_page(figures(launch=broken, rolled_back_to=2))
    refused = figures(launch=broken, rollback_refusal="there was no champion before")
    assert "could not be rolled back: there was no champion before" in render_monitor_page(refused)
