"""The buyer's page: charts within their boxes, and sentences that say better only where the bound is above 0."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest

from conf.specs.orders import OrderMethod
from rl.figures.data import IngestCounts, PersonsWord
from rl.figures.night import NightFigures
from rl.figures.orders import Censored, OrderFigures, PlanFigures, ProductDays, SharedLimitFigures, WayToOrder
from rl.figures.values import Spread
from rl.inventory.order_days import OrderDays
from rl.orders.tomorrow import no_orders_problem
from rl.page import buyer_page
from rl.page.buyer_page import _environment, product_chart
from rl.page.order_sentences import (
    METHODS,
    declared_sentences,
    forecast_sentence,
    learning_sentence,
    list_sentence,
    losing_sentence,
    plan_sentence,
    shared_sentence,
    winner_sentence,
)

TEMPLATES = Path(buyer_page.__file__).parent
FIGURES = cast(NightFigures, SimpleNamespace(facts=SimpleNamespace(reward_unit="EUR")))


def spread(value: float, reach: float) -> Spread:
    return Spread(value=value, lower=value - reach, upper=value + reach)


def way(name: str, method: str, role: str, earned: float) -> WayToOrder:
    return WayToOrder(
        name=name,
        method=method,
        role=role,
        is_learner=method == "hindsight",
        earned=spread(earned, 5),
        holding=1.0,
        missed=2.0,
        held=10.0,
        service=0.95,
        stock_outs=0.05,
        turnover=0.3,
    )


def orders(method: str = "reorder_point", **given: Any) -> OrderFigures:
    values: dict[str, Any] = {
        "lead_days": 3,
        "ways": (way("behavior", "logged orders", "today", 100), way(f"{method}-1", method, "candidate", 110)),
        "validation": (),
        "formula": "reorder_point-1",
        "learner": "hindsight-2",
        "learner_lead": spread(0.5, 1),
        "against_formula": None,
        "level": 0.95,
        "categories": (),
        "censored": Censored(share=0.2, added=0.1, added_lower=0.08, added_upper=0.12, draws=20),
        "products": (),
        "day": date(2026, 3, 2),
        "lines": (),
        "n_lines": 12,
        "n_ordered": 7,
        "units_ordered": 84,
        "n_unlisted": 0,
    }
    return OrderFigures(**(values | given))


def test_waste_is_declared_where_products_do_not_keep() -> None:
    """With whether it costs; nothing is said of products that keep."""
    assert not any("waste" in one for one in declared_sentences(orders()))
    for charged, expected in ((True, "costs is taken off what is earned."), (False, "is no part of what is earned.")):
        told = [one for one in declared_sentences(orders(is_waste_charged=charged)) if "waste" in one]
        assert len(told) == 1 and told[0].endswith(expected)


def test_days_of_orders_are_declared_and_a_morning_without_a_list_says_when_the_next_is() -> None:
    """Daily orders say nothing of it; what today's rule ordered on other days is said."""
    assert not any("placed every" in one or "have to last" in one for one in declared_sentences(orders()))
    monday = {"order_days": "every Monday", "days_covered": 10}
    told = declared_sentences(orders(**monday))[1]
    assert told.startswith("Orders are placed every Monday, and taken to arrive 3 days after they are placed")
    assert told.endswith("Each has to last for up to 10 days, until the next one arrives.")
    freer = declared_sentences(orders(**monday, placed_elsewhere=0.25))[1]
    assert "25.0% of its orders were placed on other days" in freer
    problem = no_orders_problem(OrderDays.of(["monday"]), date(2026, 3, 3))
    assert list_sentence(orders(day=None, no_list=problem)) == (
        "There are no orders on Tuesday 2026-03-03: they are placed every Monday, next on Monday 2026-03-09. The night "
        "before makes their list."
    )


def test_the_winner_is_named_with_what_it_brings() -> None:
    """In the unit and in percent of today's rule."""
    told = winner_sentence(FIGURES, orders())
    assert "reorder_point-1, which orders from a reorder point on" in told
    assert "+10.0 EUR per product and week" in told and "(+10.0%)" in told


@pytest.mark.parametrize(
    ("given", "expected", "unsaid"),
    [
        ({}, "Learning doesn't earn its place here", "better than"),
        ({"method": "plan"}, "The plan plan-1, which is reckoned from fitted demand, is used", "better than"),
        ({"learner": None, "learner_lead": None}, "No learner was tried", "better"),
        (
            {"method": "hindsight", "against_formula": spread(2.0, 1.0)},
            "is better than the best formula (reorder_point-1): +2.00 EUR",
            "earn its place",
        ),
        (
            {"method": "hindsight", "against_formula": spread(2.0, 2.5)},
            "is not shown to be better than the best formula",
            "is better than",
        ),
    ],
)
def test_better_is_said_only_where_the_bound_is_above_nothing(
    given: dict[str, Any], expected: str, unsaid: str
) -> None:
    """And plainly where learning doesn't pay."""
    told = learning_sentence(FIGURES, orders(**given))
    assert expected in told and unsaid not in told


def test_the_plan_says_how_many_products_it_plans() -> None:
    """And what it leaves to a formula; a night without one says nothing."""
    assert plan_sentence(FIGURES, orders()) == ""
    some = PlanFigures(name="plan-1", n_planned=14, n_products=20, others=("a", "b", "c", "d", "e"), lead=spread(1, 2))
    told = plan_sentence(FIGURES, orders(plan=some))
    assert told.startswith("Plan for 14 of 20 products (plan-1). The other 6 have no table,")
    assert "(a, b, c, d, e, …): ordered up to" in told
    assert "+1.00 EUR per product and week" in told and "against the best formula (reorder_point-1)" in told
    one = some.model_copy(update={"n_planned": 19, "others": ("a",), "lead": None})
    assert "The other one has no table" in plan_sentence(FIGURES, orders(plan=one))
    every = some.model_copy(update={"n_planned": 20, "others": ()})
    assert "no table" not in plan_sentence(FIGURES, orders(plan=every))


def test_forecasts_that_follow_their_errors_are_told_where_the_scenario_asks() -> None:
    assert forecast_sentence(orders()) == ""
    assert "on later training days these err less" in forecast_sentence(orders(follows_errors=True))
    assert "they stay as they are" in forecast_sentence(orders(follows_errors=False))


def test_what_is_declared_is_said_with_its_doubt() -> None:
    """Demand that doesn't depend on orders, arrival as promised and first thing, and what days that ran out hide."""
    first, second, comes, third = declared_sentences(orders())
    assert first.startswith("Declared, not measured: demand doesn't depend on what is ordered")
    assert "3 days after" in second
    assert "there from the day's start" in comes and "went astray in the log, or turned up, does so" in comes
    assert "20.0%" in third and "(8.0% to 12.0%)" in third and "shopper" not in third
    nothing = Censored(share=0.0, added=0.0, added_lower=0.0, added_upper=0.0, draws=20)
    assert "all of its demand stands in the log" in declared_sentences(orders(censored=nothing))[3]


def test_the_declared_tail_of_demand_is_said_with_its_share() -> None:
    """Earlier nights told none, and say nothing of it."""
    assert "orders.demand_tail" not in declared_sentences(orders())[3]
    for tail, said in (
        ("geometric", "as if it went on declining at the last known rate"),
        ("negative_binomial", "by a negative binomial law of units, fitted to all days"),
        ("at_bound", "as the least that is possible"),
    ):
        found = orders().censored.model_copy(update={"tail": tail, "declared": 0.013})
        told = declared_sentences(orders(censored=found))[3]
        assert "On 1.3% of like days demand lies beyond all that they ever had in stock" in told and said in told
        none = found.model_copy(update={"declared": 0.0})
        assert told and "None of it lies beyond" in declared_sentences(orders(censored=none))[3]


def test_products_that_are_sold_at_a_loss_are_named() -> None:
    """With what their figures and orders rest on; nothing is said where all of them earn."""
    assert losing_sentence(orders()) == ""
    told = losing_sentence(orders(n_losing=2, losing=("a", "b")))
    assert told.startswith("2 products bring nothing or less for a piece, ordering it included (a, b). Every")


def test_products_without_a_line_are_told() -> None:
    """So that nobody takes the list for whole."""
    assert "by hand" not in list_sentence(orders())
    assert "3 products of the last week are not on it" in list_sentence(orders(n_unlisted=3))
    assert "1 product of the last week is not on it" in list_sentence(orders(n_unlisted=1))
    named = list_sentence(orders(n_unlisted=8, unlisted=tuple("abcdefg")))
    assert "order by hand (a, b, c, d, e and 3 more)." in named
    never = list_sentence(orders(n_never=1, never=("a",)))
    assert "1 product can never be ordered (a): its smallest order, in whole packs, is more than orders.most" in never
    coarse = list_sentence(orders(n_coarse=2, coarse=("a", "b")))
    assert "Of 2 products (a, b) the smallest order, in whole packs, is more than twice what is ordered" in coarse
    unworthy = list_sentence(orders(n_coarse=1, coarse=("a",), n_unworthy=1, unworthy=("a",)))
    assert unworthy.endswith(
        " It is never ordered, since a pack would cost more than it brings: ask for smaller packs."
    )
    some = list_sentence(orders(n_coarse=3, coarse=tuple("abc"), n_unworthy=2, unworthy=("a", "b")))
    assert " 2 of them (a, b) are never ordered, since a pack would cost more than it brings" in some
    untold = list_sentence(orders(n_untold_packs=2, untold_packs=("a", "b")))
    assert "2 products are ordered by the piece, since items tell no pack_size of them (a, b) while" in untold
    assert list_sentence(orders(day=None)).startswith("No list for tomorrow")


def test_charts_stay_within_their_boxes() -> None:
    """600 by 120, from nothing to the largest of what is compared."""
    product = ProductDays(
        product="apple",
        category="fruit",
        why="largest",
        first_day=date(2026, 1, 5),
        sold=(0, 4, 2),
        forecast=(1.0, 2.5, 8.0),
        ran_out=(False, True, False),
        stock_today=(3, 0, 0),
        stock_candidate=(12, 8, 6),
    )
    chart = product_chart(product)
    points = [tuple(map(float, one.split(","))) for one in chart.sold.split()]
    assert points == [(100.0, 120.0), (300.0, 60.0), (500.0, 90.0)]
    assert chart.forecast.endswith("500,0") and chart.stock_candidate.startswith("100,0")
    assert chart.out == (300.0,)


def test_every_method_has_words() -> None:
    """Also today's rule."""
    assert set(METHODS) == {"logged orders", *get_args(OrderMethod)}


def test_page_can_tell_what_persons_decided_about_deliveries() -> None:
    """By the same words as the review page, with the filters that this page has."""
    word = PersonsWord(delivery=date(2026, 3, 1), reason="a <test> day", who="ann")
    counts = {"n_lines": 1, "n_accepted": 1, "n_derived": 0, "n_rejected": 0, "n_not_yet": 0, "rejected": {}}
    ingest = IngestCounts.model_validate(
        counts | {"accepted": (word,), "unended_files": ("a.csv",), "n_unended_files": 1}
    )
    environment = _environment()
    assert "delivery_notes(figures.data.ingest)" in (TEMPLATES / "buyer.html.jinja").read_text(encoding="utf-8")
    environment.get_template("buyer.html.jinja")
    notes: Any = environment.get_template("_deliveries.html.jinja").module
    told = str(notes.delivery_notes(ingest))
    assert "Sunday, 1 March 2026: a &lt;test&gt; day (ann)" in told
    assert "It is a.csv." in told


def test_a_shared_limit_is_declared_with_what_today_s_rule_did_to_it() -> None:
    """What the list takes of it and holds back for it; a night without one says nothing of the kind."""
    found = orders()
    assert len(declared_sentences(found)) == 4 and shared_sentence(FIGURES, found) == ""
    shared = SharedLimitFigures(of="cost", limit=2500, price=0.0013, taken=2490.5, held_back=12)
    today, chosen = found.ways
    told = found.model_copy(
        update={"shared": shared, "ways": (today.model_copy(update={"days_beyond": 0.2, "fullest": 1.3}), chosen)}
    )
    declared = declared_sentences(told)[4]
    assert "2,500.00 of stock by its cost" in declared and "weeks alone" in declared
    assert "orders beyond it on 20.0% of the tested days" in declared
    sentence = shared_sentence(FIGURES, told)
    assert "take 2,490.50 of stock by its cost of the 2,500.00" in sentence and "12 units fewer" in sentence
    assert "0.0013 EUR a day" in sentence
    full = told.model_copy(update={"shared": shared.model_copy(update={"taken": 2600.0, "held_back": 0})})
    assert "nothing is ordered" in shared_sentence(FIGURES, full) and "holds back nothing" in shared_sentence(
        FIGURES, full
    )
