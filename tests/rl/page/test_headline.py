"""The tiles at the top say how much, how sure and resting on what, in words of a shop owner."""

from __future__ import annotations

from typing import Any

import pytest

from rl.page.content import ReviewContent
from rl.page.headline import headline_tiles
from rl.page.wording import MINUS
from tests.rl.page.content_factory import estimate, implied_review, judgment, night, review
from tests.rl.page.evidence_factory import doubts


def page_with(**gain: Any) -> ReviewContent:
    """A review whose gain has some other fields."""
    found = judgment()
    assert found.gain is not None
    return review(judgment=found.model_copy(update={"gain": found.gain.model_copy(update=gain)}))


def test_gain_is_told_in_percent_of_today_and_in_the_unit() -> None:
    """Where it is known what today's choices make, the gain and its bounds are shares of that."""
    gain, sure, _ = headline_tiles(page_with(baseline_value=1.5))
    assert (gain.name, gain.value) == ("Gain over today's choices", "+14.0%")
    assert gain.note == "+0.210 points per episode, where today's choices made 1.50"
    assert (sure.name, sure.value) == ("How sure", "+3.3% to +24.7%")
    assert sure.note == (
        "+0.0500 to +0.370 points per episode; a candidate that is no better passes with a chance of 1.1% at most"
    )


@pytest.mark.parametrize(("base", "reach"), [(None, 0.1), (0.0, 0.1), (-2.0, 0.1), (0.01, 0.02)])
def test_percent_is_left_out_where_no_share_can_be_taken(base: float | None, reach: float) -> None:
    """Earlier releases kept no baseline value, and of nothing, a loss or what may be nothing there is no share."""
    page = page_with(baseline_value=base)
    value = 0.0 if base is None else base
    today = page.policies[0].model_copy(update={"estimates": (estimate("on_policy", value, reach),)})
    gain, sure, _ = headline_tiles(page.model_copy(update={"policies": (today, *page.policies[1:])}))
    assert (gain.value, gain.note) == ("+0.210 points per episode", "compared with today's choices")
    assert sure.value == "+0.0500 to +0.370 points"
    assert "%" not in gain.note


def test_gain_over_a_champion_names_it() -> None:
    """What is served today is then a version, not the log's own policy."""
    gain = headline_tiles(page_with(baseline="champion, version 3", baseline_value=2.0, value=-0.1))[0]
    assert (gain.value, gain.note) == (
        f"{MINUS}5.0%",
        f"{MINUS}0.100 points per episode, where champion, version 3 made 2.00",
    )


def test_unknown_bounds_are_left_open() -> None:
    """A side without a bound is said to have none."""
    assert headline_tiles(page_with(upper=None))[1].value == "at least +0.0500 points"
    assert headline_tiles(page_with(lower=None))[1].value == "at most +0.370 points"
    assert headline_tiles(page_with(lower=None, upper=None))[1].value == "no bounds"


def test_last_tile_says_what_it_rests_on() -> None:
    """Units that the log is worth, of how many; the episodes where nothing can be weighted."""
    rests = headline_tiles(review(night=night(units="products")))[-1]
    assert rests.value == "812 of 1,800 products"
    assert "2,900 test episodes, never used to choose anything" in rests.note
    (alone,) = headline_tiles(implied_review())
    assert (alone.value, alone.note) == ("2,900 test episodes", "never used to choose anything")


def test_a_gain_that_a_few_decide_is_told_with_caution() -> None:
    """At the top too, from where averages settle slowly; not where they settle, nor where nobody knows."""
    for index, is_told in ((0.6, True), (0.4, False), (None, False)):
        _, sure, _ = headline_tiles(
            page_with(baseline_value=1.5).model_copy(update={"doubts": doubts(tail_index=index)})
        )
        assert ("a few shoppers decide this gain" in sure.note) is is_told


def test_tiles_have_no_statistical_terms() -> None:
    """Nothing at the top needs a glossary."""
    for one in headline_tiles(page_with(baseline_value=1.5)):
        words = f"{one.name} {one.value} {one.note}".lower()
        assert not any(
            term in words for term in ("interval", "effective", "weight", "level", "estimat", "policy value")
        )


def test_a_gain_over_the_champion_is_called_so() -> None:
    gain, *_ = headline_tiles(page_with(baseline="champion, version 3", baseline_value=1.5))
    assert gain.name == "Gain over the champion"
