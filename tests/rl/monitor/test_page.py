"""The monitor's page: the picture first, and every text escaped."""

from __future__ import annotations

from typing import Any

import pytest

from rl.monitor.page import gain_chart, headline, render_monitor_page
from tests.rl.monitor.monitor_factory import figures
from tests.rl.page.launches_factory import earned, launch, promised


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
    withdrawn = render_monitor_page(figures(launch=broken, is_withdrawn=True))
    assert "rolled back: the shop decides by its own rule again" in withdrawn
    refused = figures(launch=broken, rollback_refusal="there was no champion before")
    assert "could not be rolled back: there was no champion before" in render_monitor_page(refused)
