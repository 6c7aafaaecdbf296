"""What follows from a look."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from scipy.stats import norm

from conf.specs.rollout import Beyond, Rollout, Schedule
from rl.rollout.comparison import Comparison
from rl.rollout.silence import SilentDays
from rl.rollout.stage_rule import StageLook, judge_stage, scheduled_margin

RULE = Rollout()
SMALL_SCHEDULE = Schedule(days=7, margin=0.2)
SMALL = Rollout(schedule=SMALL_SCHEDULE)


LASTING = Comparison(500, 5000, 1.0, 1.0, 0.0, 0.02)
"""What the shoppers drawn first show, where they show that nothing is lost."""


def a_look(gain: float, error: float, **given: Any) -> StageLook:
    found = Comparison(1000, 9000, 1 + gain, 1.0, gain, error)
    return StageLook(**({"share": 0.05, "n_days": 5, "found": found, "lasting": LASTING} | given))


@pytest.mark.parametrize(
    ("look", "decision", "why"),
    [
        (a_look(0.02, 0.015), "grow", "within the margin of 5%: +2.0% a shopper, at least"),
        (a_look(0.02, 0.015, share=0.5), "complete", "within the margin"),
        (a_look(0.02, 0.05), "hold", "not shown to be within the margin of 5%: +2.0% a shopper, at least -1"),
        (a_look(0.02, 0.05), "hold", "about 7.8 times these shoppers"),
        (a_look(-0.10, 0.02), "retreat", "it earns less a shopper: -10.0%, at most -"),
        (a_look(-0.10, 0.05), "hold", "not shown"),
        (a_look(0.02, 0.01, n_days=2), "hold", "2 of 3 days are counted"),
        (a_look(0.02, 0.01, mismatch=0.0009), "hold", "not as large as 0.05 draws them (p = 0.0009)"),
        (a_look(0.02, 0.01, stray=0.02), "hold", "2.0% of the decisions are by another version"),
        (a_look(-0.10, 0.02, mismatch=0.0009, n_days=1), "retreat", "it earns less"),
        (a_look(-0.10, 0.02, mismatch=0.0009), "retreat", "; the arms are not as large as 0.05 draws them"),
        (a_look(0.0, 0.1, found="too few"), "hold", "too few"),
        (a_look(0.0, 0.1, found="too few", mismatch=1e-6), "hold", "not as large"),
    ],
)
def test_a_stage_grows_holds_or_retreats(look: StageLook, decision: str, why: str) -> None:
    found = judge_stage(RULE, look)
    assert found.decision == decision
    assert why in found.why


TOLD = (
    "it has decided for nobody since 2026-03-02 ({days}), while the others were decided for: of 40 decisions of its "
    "shoppers the fallback made 38; "
)


def silent(n_days: int) -> SilentDays:
    return SilentDays(date(2026, 3, 2), n_days=n_days, n_decisions=40, n_fallback=38)


@pytest.mark.parametrize(
    ("look", "decision", "why"),
    [
        (a_look(0.02, 0.015, silent=silent(1)), "hold", TOLD.format(days="1 day") + "see whether the service can load"),
        (a_look(0.02, 0.015, silent=silent(3)), "retreat", TOLD.format(days="3 days")),
        (a_look(0.0, 0.1, found="too few", silent=silent(3)), "retreat", TOLD.format(days="3 days")),
        (a_look(-0.10, 0.02, silent=silent(1)), "retreat", f"-2.7%; {TOLD.format(days='1 day')}"),
        (a_look(0.02, 0.015, silent=silent(3), is_off=True), "hold", "38; it is turned off (`make on`)"),
        (a_look(-0.10, 0.02, silent=silent(3), is_off=True), "retreat", "it earns less"),
    ],
)
def test_a_version_that_decides_for_nobody_goes_back(look: StageLook, decision: str, why: str) -> None:
    """After as many days as a stage needs to grow, whatever the fallback brings; it grows by nothing of it."""
    found = judge_stage(RULE, look)
    assert found.decision == decision
    assert why in found.why


def test_a_version_that_decides_for_nobody_does_not_grow_on_a_schedule() -> None:
    found = judge_stage(SMALL, a_look(0.06, 0.01, n_days=7, scheduled=1, silent=silent(2)))
    assert (found.decision, found.scheduled) == ("hold", None)


LOST = Comparison(500, 5000, 0.8, 1.0, -0.2, 0.04)
UNSURE = Comparison(500, 5000, 0.95, 1.0, -0.05, 0.05)


@pytest.mark.parametrize(
    ("look", "decision", "why"),
    [
        (a_look(0.02, 0.015, lasting=UNSURE), "grow", "within the margin of 5%"),
        (
            a_look(0.02, 0.015, share=0.25, lasting=UNSURE),
            "hold",
            "stays at 25%: the shoppers who were drawn first, since most have come back, are not shown to be within "
            "the margin of 10%: -5.0% a shopper, at least -19",
        ),
        (a_look(0.02, 0.015, share=0.5, lasting="later"), "hold", "of the shoppers who were drawn first, later"),
        (a_look(0.02, 0.015, share=0.25), "grow", "within the margin of 5%"),
        (a_look(0.02, 0.015, lasting=LOST), "retreat", "drawn first bring less since most have come back: -20.0%"),
    ],
)
def test_no_more_than_a_quarter_before_what_a_version_earns_lasts(look: StageLook, decision: str, why: str) -> None:
    """And a loss of the shoppers who were drawn first takes it back at any share."""
    found = judge_stage(RULE, look)
    assert found.decision == decision
    assert why in found.why


def test_a_small_shop_asks_for_no_more_than_its_own_margin_of_those_drawn_first() -> None:
    small = a_look(0.06, 0.05, share=0.25, n_days=7, scheduled=1, lasting=UNSURE)
    assert judge_stage(SMALL, small).decision == "grow"
    assert judge_stage(SMALL, replace(small, lasting=LOST)).decision == "retreat"


@pytest.mark.parametrize("name", ["few", "lasting_few"])
def test_too_few_rewarded_shoppers_take_a_version_back(name: str) -> None:
    """At a quarter of the stage's part of the level; a version never grows by that."""
    part = RULE.level / RULE.n_tested / 4
    content = {"lasting": "0 and 900 brought anything"} | ({"found": "0 and 900"} if name == "few" else {})
    found = judge_stage(RULE, a_look(0.02, 0.05, **content, **{name: part * 0.99}))
    assert (found.decision, "0 and 900" in found.why) == ("retreat", True)
    assert judge_stage(RULE, a_look(0.02, 0.05, **content, **{name: part * 1.01})).decision == "hold"


def test_a_version_just_below_the_margin_does_not_grow() -> None:
    """However sure it is."""
    assert judge_stage(RULE, a_look(-0.0501, 1e-6)).decision == "retreat"
    assert judge_stage(Rollout(margin=0.06), a_look(-0.0501, 0.01)).decision == "retreat"


def test_the_level_is_shared_by_the_stages_that_are_tested() -> None:
    assert judge_stage(RULE, a_look(0.0, 0.1)).level == pytest.approx(0.05 / 3)
    assert judge_stage(Rollout(stages=(0.5, 1.0)), a_look(0.0, 0.1)).level == pytest.approx(0.05)


def test_a_small_shop_grows_on_its_days_alone() -> None:
    """By its wide margin; whether the version is worse is asked every day."""
    waiting = judge_stage(SMALL, a_look(0.02, 0.05, n_days=9))
    assert (waiting.decision, waiting.why) == ("hold", "growth is decided every 7 days of a stage, next after 5 more")
    assert judge_stage(SMALL, a_look(0.02, 0.05, n_days=7, scheduled=1)).decision == "grow"
    assert judge_stage(SMALL, a_look(0.02, 0.11, n_days=7, scheduled=1)).decision == "hold"
    assert judge_stage(SMALL, a_look(-0.3, 0.05, n_days=2)).decision == "retreat"


def test_a_small_shop_needs_more_than_its_wide_margin_past_a_quarter() -> None:
    """What grows to a quarter doesn't grow past it, and says at how many shoppers, and days, it would."""
    to_a_quarter = a_look(-0.02, 0.05, n_days=7, scheduled=1)
    assert judge_stage(SMALL, to_a_quarter).decision == "grow"
    past_it = judge_stage(SMALL, a_look(-0.02, 0.05, share=0.25, n_days=7, scheduled=1))
    assert past_it.decision == "hold"
    assert "stays at 25%: not shown to be within the margin of 10%: -2.0% a shopper, at least -16.0%" in past_it.why
    assert "some 3,100 shoppers of the smaller arm would show it" in past_it.why
    assert "after 22 days of this share at the soonest" in past_it.why
    assert judge_stage(SMALL, a_look(0.06, 0.05, share=0.25, n_days=7, scheduled=1)).decision == "grow"
    assert judge_stage(SMALL, a_look(0.03, 0.05, share=0.5, n_days=7, scheduled=1)).decision == "hold"


@pytest.mark.parametrize(
    ("share", "look", "margin", "level"), [(0.05, 1, 0.2, 0.05 / 3), (0.25, 1, 0.1, 0.005), (0.05, 3, 0.2, 0.05 / 3)]
)
def test_a_scheduled_look_keeps_the_bound_that_decided(share: float, look: int, margin: float, level: float) -> None:
    """Beside those of every day, by which it would have been decided otherwise."""
    found = judge_stage(SMALL, a_look(-0.02, 0.05, share=share, n_days=7 * look, scheduled=look))
    assert found.scheduled is not None
    assert (found.scheduled.number, found.scheduled.margin) == (look, margin)
    assert found.scheduled.level == pytest.approx(level)
    spent = level * (1 / look - 1 / (look + 1))
    assert found.scheduled.lower == pytest.approx(-0.02 - 0.05 * norm.isf(spent))
    assert (found.decision == "grow") == (found.scheduled.lower > -margin)
    assert f"at least {found.scheduled.lower:+.1%}" in found.why
    assert found.stage is not None
    assert found.stage.lower < found.scheduled.lower


@pytest.mark.parametrize(
    ("rollout", "look"),
    [
        (RULE, a_look(0.02, 0.015)),
        (SMALL, a_look(0.02, 0.05, n_days=9)),
        (SMALL, a_look(-0.3, 0.05, n_days=7, scheduled=1)),
        (SMALL, a_look(0.02, 0.05, n_days=7, scheduled=1, stray=0.02)),
        (SMALL, a_look(0.02, 0.05, n_days=7, scheduled=1, mismatch=1e-6)),
    ],
)
def test_what_no_scheduled_look_decided_names_no_bound_of_one(rollout: Rollout, look: StageLook) -> None:
    assert judge_stage(rollout, look).scheduled is None


def test_a_small_shop_says_where_no_number_of_shoppers_would_do() -> None:
    found = judge_stage(SMALL, a_look(-0.12, 0.08, share=0.25, n_days=7, scheduled=1))
    assert "no number of shoppers would show it while it looks as far below as -12.0%" in found.why


def just_grows(error: float, look: int) -> float:
    """Gain from which the stage of a quarter grows at a scheduled look, by bisection."""
    below, above = -0.1, 2.0
    for _ in range(30):
        middle = (below + above) / 2
        grows = (
            judge_stage(SMALL, a_look(middle, error, share=0.25, n_days=7 * look, scheduled=look)).decision == "grow"
        )
        below, above = (below, middle) if grows else (middle, above)
    return above


@pytest.mark.parametrize("error", [0.005, 0.02, 0.05, 0.1, 0.3])
def test_a_version_worse_by_the_margin_passes_a_quarter_no_more_often_than_the_level_says(error: float) -> None:
    """Whatever the shop's size: over 20 looks, with a normal estimate."""
    passes = sum(float(norm.sf((just_grows(error, look) + 0.1) / error)) for look in range(1, 21))
    assert passes < SMALL_SCHEDULE.beyond.level


def test_the_wide_margin_alone_would_let_it_pass() -> None:
    """Planted: the test above catches it."""
    loose = Rollout(schedule=Schedule(days=7, margin=0.2, beyond=Beyond(margin=0.2, level=0.05)))
    assert judge_stage(loose, a_look(-0.1, 0.04, share=0.25, n_days=7, scheduled=1)).decision == "grow"
    assert judge_stage(SMALL, a_look(-0.1, 0.04, share=0.25, n_days=7, scheduled=1)).decision != "grow"


def test_past_a_quarter_nothing_is_looser_than_what_let_a_version_come_so_far() -> None:
    narrow = Schedule(days=7, margin=0.04)
    assert scheduled_margin(Rollout(schedule=narrow), narrow, 0.25) == (0.04, 0.005)
    loose = Schedule(days=7, margin=0.2, beyond=Beyond(share=0.5, level=0.4))
    assert scheduled_margin(Rollout(schedule=loose), loose, 0.25) == (0.2, pytest.approx(0.05 / 3))
    assert scheduled_margin(Rollout(schedule=loose), loose, 0.5) == (0.1, pytest.approx(0.05 / 3))
