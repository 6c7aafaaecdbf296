"""What a person is shown who is asked to approve; a night of decisions is tested with its registration."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rl.figures.night import NightFigures
from rl.figures.second_look import TakenLook
from rl.figures.values import Gain, GuardrailFigures
from rl.figures.verdict import ClosenessFigures
from rl.page.approval_request import approval_request
from tests.rl.page.test_buyer_page import orders


def night_of_orders(gain: Gain | None, **given: Any) -> NightFigures:
    content = {
        "facts": SimpleNamespace(reward_unit="EUR"),
        "orders": orders(),
        "gain": gain,
        "guardrails": (),
        "explanation": None,
        "taken": None,
        "verdict": SimpleNamespace(decision="promote", closeness=None),
        "selected": SimpleNamespace(name="reorder_point-1"),
        "fullest_report": lambda _: SimpleNamespace(n_units=120),
    }
    return cast(NightFigures, SimpleNamespace(**{**content, **given}))


def test_orders_are_told_per_product_and_week_with_their_interval() -> None:
    """In percent of today's rule and in the unit; how many decisions change isn't known of orders."""
    gain = Gain(baseline="behavior", estimator="replay", value=10, lower=5, upper=15, level=0.99, baseline_value=100)
    told = approval_request(night_of_orders(gain))
    assert told.gain.startswith("+10.0%, +10.0 EUR per product and week over today's rule; interval +5.0% to +15.0%, ")
    assert "+5.00 to +15.0 EUR" in told.gain
    assert told.rests_on.startswith("120 products")
    assert (told.share_changed, told.changes) == (None, "how many decisions change isn't known")


@pytest.mark.parametrize("outcome", ["promote", "reject"])
def test_what_passed_by_a_second_look_says_so(outcome: Any) -> None:
    """A second look that ended otherwise is the page's to tell: the version that is asked about is another."""
    taken = TakenLook(version=4, night=date(2026, 3, 1), level=0.01, outcome=outcome, why="")
    told = approval_request(night_of_orders(None, taken=taken)).second_look
    assert told.startswith("a second look at version 4, which the night of 2026-03-01") == (outcome == "promote")
    assert bool(told) == (outcome == "promote")


def test_a_close_call_is_told() -> None:
    """Before the gain, by the form; a verdict that no seed turns has nothing to tell."""
    near = ClosenessFigures(other="reject", hinges_on=("better_than_baseline",), moves=0.4, is_close=True)
    told = approval_request(night_of_orders(None, verdict=SimpleNamespace(decision="promote", closeness=near)))
    assert told.close_call.startswith("Close call: ")
    assert approval_request(night_of_orders(None)).close_call == ""


def test_orders_without_a_gain_tell_which_way_won() -> None:
    assert "reorder_point-1" in approval_request(night_of_orders(None)).gain


@pytest.mark.parametrize(("is_kept", "word"), [(True, "kept"), (False, "NOT kept"), (None, "can't be told")])
def test_guardrails_say_whether_they_are_kept(*, is_kept: bool | None, word: str) -> None:
    """With what the bound allows, and the limit."""
    rail = GuardrailFigures(metric="lost_sales", max_relative_increase=0.02, upper=0.01, is_kept=is_kept)
    (told,) = approval_request(night_of_orders(None, guardrails=(rail,))).guardrails
    assert told == f"lost sales: {word}; may rise by at most 1.0% (allowed to rise by 2.0%)"
