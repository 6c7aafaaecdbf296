"""The exploration plan in words, and its section of the page."""

from __future__ import annotations

from typing import Any

from rl.figures.exploration import ExplorationFigures, ExploredShoppers
from rl.page.exploration_sentences import doubt_sentence, plan_sentence
from rl.page.render import render_page
from tests.rl.page.content_factory import review


def a_plan(**over: Any) -> ExplorationFigures:
    content: dict[str, Any] = {
        "dimension": "new or returning",
        "shoppers": (
            ExploredShoppers(label="new shopper", share=0.12, part=0.4, actions=("shoes", "<b>hats</b>")),
            ExploredShoppers(label="returning shopper", share=0.0, part=0.6),
        ),
        "nights": 23.0,
        "soonest": 8.0,
        "latest": None,
        "chance": 0.8,
        "chance_better": 0.72,
        "planned_nights": 46,
        "cost": 1.25,
        "worst_cost": 4.0,
        "uniform_nights": 96.0,
        "unexplored_nights": None,
    }
    return ExplorationFigures(**(content | over))


def test_a_plan_says_when_for_whom_and_at_what_cost() -> None:
    said = plan_sentence(a_plan(), reward_unit="EUR")
    assert said == (
        "A verdict in about 23 nights if 12.0% of the decisions (new shopper) follow the candidate; "
        "it costs about 1.25 EUR a night, at worst 4.00 (one time in twenty more)."
    )


def test_what_is_expected_to_earn_is_not_told_as_a_cost() -> None:
    said = plan_sentence(a_plan(cost=-2.0), reward_unit="points")
    assert "it is expected to cost nothing" in said
    assert "-2" not in said


def test_a_night_without_a_plan_says_why() -> None:
    said = plan_sentence(ExplorationFigures(refusal="the log can't be weighted"), reward_unit="EUR")
    assert said == "No exploration plan: the log can't be weighted."


def test_doubt_is_told_in_nights_and_chances() -> None:
    said = doubt_sentence(a_plan())
    assert "within 8 nights, and one in ten later than more than a year" not in said
    assert "within a year it comes with a chance of 80%, and then says in 90% of cases" in said
    assert "Without exploring it would take more than a year" in said
    assert "with uniform choices that may cost as much, 96 nights" in said


def test_the_page_has_the_plan_and_how_to_follow_it() -> None:
    allowed = render_page(review(exploration=a_plan(is_allowed=True), version="7"))
    assert "What to explore next" in allowed
    assert "make explore VERSION=7" in allowed
    assert "&lt;b&gt;hats&lt;/b&gt;" in allowed
    suggested = render_page(review(exploration=a_plan()))
    assert "Nothing follows this by itself" in suggested
    assert "make explore" not in suggested
    assert "What to explore next" not in render_page(review())
