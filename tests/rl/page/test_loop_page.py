"""The page of a loop: places in the pictures, the sentences, and text that is escaped."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from rl.figures.loop import Earned, Known, LoopDay, LoopFigures, LoopNight, NightSeconds
from rl.figures.values import LevelSpread, Spread
from rl.page.loop_page import loop_sentences, promises_picture, render_loop_page, values_picture

FIRST = date(2026, 3, 12)


def _day(number: int, version: int | None) -> LoopDay:
    return LoopDay(
        date=FIRST + timedelta(days=number),
        version=version,
        behavior=Known(value=3.0, standard_error=0.01),
        champion=None if version is None else Known(value=4.0 + version / 10, standard_error=0.01),
        served=None if version is None else Earned(value=4.2, standard_error=0.2, n_episodes=900),
        control=Earned(value=3.1, standard_error=0.3, n_episodes=100),
    )


def _night(number: int, verdict: str, *, promoted: bool = False, true: float | None = 0.5) -> LoopNight:
    return LoopNight(
        date=FIRST + timedelta(days=number),
        verdict=verdict,  # type: ignore[arg-type]
        version=number + 1,
        compared_with="behavior",
        gain=Spread(value=0.8, lower=-0.2, upper=1.8),
        gain_level=0.982,
        interval=LevelSpread(value=0.8, lower=0.2, upper=1.4, level=0.95),
        true_gain=true,
        is_promoted=promoted,
        seconds=40.4,
    )


def _figures(**more: object) -> LoopFigures:
    given = {
        "scenario": "recommendation",
        "scenario_title": "What to show <next>",
        "source": "served_shop",
        "seed": 1,
        "reward_unit": "points",
        "level": 0.95,
        "of": "a session",
        "gain_of": "a session",
        "days": tuple(_day(n, version) for n, version in enumerate([None, None, 2, 2, 3])),
        "nights": (
            _night(0, "abstain", true=1.6),
            _night(1, "promote", promoted=True),
            _night(2, "reject"),
            _night(3, "promote", promoted=True),
            _night(4, "abstain", true=None),
        ),
        "final_gain": Spread(value=1.3, lower=1.28, upper=1.32),
    } | more
    return LoopFigures.model_validate(given)


def test_a_champion_s_line_begins_where_it_decides_and_breaks_where_another_does() -> None:
    lines = values_picture(_figures()).lines
    assert [tone for tone, _ in lines] == ["behavior", "candidate", "candidate"]
    assert [len(points.split()) for _, points in lines] == [5, 2, 1]


def test_more_is_higher_in_the_picture() -> None:
    picture = values_picture(_figures())
    behavior, champion = (points.split()[-1].split(",") for _, points in picture.lines[:2])
    assert float(champion[1]) < float(behavior[1])
    assert all(mark.top < mark.y < mark.bottom for mark in picture.marks)
    assert len(picture.marks) == 3 * 2 + 2


def test_promises_stand_beside_the_truth() -> None:
    picture = promises_picture(_figures())
    assert picture is not None
    assert [mark.tone for mark in picture.marks] == ["abstain", "promote", "reject", "promote", "abstain"]
    assert len(picture.diamonds) == 4
    assert [label.text for label in picture.promotions] == ["v2", "v4"]


def test_sentences_say_what_came_of_it() -> None:
    told = " ".join(loop_sentences(_figures()))
    assert "In 5 nights a policy was promoted 2 times" in told
    assert "+1.30 points a session more" in told
    assert "No promotion lowered the true value" in told
    assert "Of 4 nights' 95% intervals of the gain, 3 hold the true gain." in told


def test_coverage_is_that_of_intervals_at_the_level_that_is_printed() -> None:
    """The first night's truth, 1.6, lies between the gate's bounds and outside of the 95% interval."""
    night = _night(0, "abstain", true=1.6)
    figures = _figures(nights=(night, night.model_copy(update={"interval": None, "gain_level": None})))
    assert [one.is_held for one in figures.nights] == [False, True]
    told = " ".join(loop_sentences(figures))
    assert "Of 1 nights' 95% intervals of the gain, 0 hold the true gain." in told
    assert "Of 1 night that kept the gate's bounds alone, as earlier releases did, 1 hold the true gain" in told
    page = render_loop_page(figures)
    assert page.count("as judged)") == 1


def test_harm_is_named() -> None:
    assert "more than 2%: version 4." in " ".join(loop_sentences(_figures(worse=(4,))))


def test_harm_that_isn_t_known_is_not_denied() -> None:
    told = " ".join(loop_sentences(_figures(untold=(3,))))
    assert "isn't known of version 3" in told
    assert "No promotion lowered" not in told
    told = " ".join(loop_sentences(_figures(worse=(2,), untold=(3, 4))))
    assert "more than 2%: version 2." in told
    assert "isn't known of versions 3, 4" in told


def test_the_seconds_of_a_night_are_told() -> None:
    found = NightSeconds(median=41.2, slowest=63.4, slowest_date=FIRST, n_nights=5)
    told = loop_sentences(_figures(seconds_a_night=found))[-1]
    assert told == "A night took 41 seconds in the median, the slowest (Thursday, 12 March 2026) 63."


def test_a_loop_without_a_promotion_says_so() -> None:
    nothing = _figures(nights=(_night(0, "reject"),), final_gain=None, days=(_day(0, None),))
    assert "No night of 1 promoted anything" in loop_sentences(nothing)[0]
    assert "abstain" in render_loop_page(nothing)


def test_the_page_is_whole_and_escaped() -> None:
    page = render_loop_page(_figures())
    assert "What to show &lt;next&gt;" in page
    assert "<next>" not in page
    assert page.count("<svg") == page.count("</svg>") == 2
    HTMLParser().feed(page)
    assert not re.search(r"(nan|None|inf)\b", page.partition("<body>")[2])
    assert page.count("missed") == 1


@pytest.mark.parametrize("n", [1, 14, 60])
def test_every_mark_stays_inside_the_picture(n: int) -> None:
    figures = _figures(days=tuple(_day(number, 2) for number in range(n)))
    picture = values_picture(figures)
    assert all(52 <= mark.x <= 748 and mark.top >= 14 and mark.bottom <= 274 for mark in picture.marks)
    assert len(picture.x_labels) <= 14


def test_what_is_watched_stands_beside_the_night() -> None:
    night = _night(3, "reject").model_copy(
        update={
            "promised": 0.7,
            "earned": Spread(value=0.4, lower=-0.2, upper=1.0),
            "rollout": "grow, 25% from now on",
            "alerts": ("Actions <drift>.",),
        }
    )
    page = render_loop_page(_figures(nights=(night,)))
    assert "Served: promised, earned so far" in page
    assert "Rollout: grow, 25% from now on." in page
    assert "Alert: Actions &lt;drift&gt;." in page
    assert "Served:" not in render_loop_page(_figures())


def test_who_decided_at_the_end_is_named() -> None:
    """Whatever was promoted last: it may have been taken back, or have had no day to show anything."""
    assert "version 3, which decided at the end, is truly worth" in loop_sentences(_figures())[0]
    assert "version 3 decided at the end, on too few days" in loop_sentences(_figures(final_gain=None))[0]
    back = _figures(days=tuple(_day(n, version) for n, version in enumerate([None, 2, None])), final_gain=None)
    assert "on the last day the shop's own rule decided" in loop_sentences(back)[0]
