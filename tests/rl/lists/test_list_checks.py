"""A list is checked on its rows before anybody gets it, whatever drew them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from conf.publication import Manifest, Pointer
from conf.specs.scenario import load_pipeline
from rl.data.week_observations import WeekObservations
from rl.errors import DatasetError, PolicyError
from rl.lists.list_checks import refuse_wrong_list
from rl.lists.weekly_decisions import DecidedWeek, Offers, WeekStart, decide_week, offers_of, week_masks
from rl.policy.offer_prices import OfferPrices
from tests.rl.policy.policies import make_observations, make_policy, make_vocabulary

AS_OF = date(2026, 2, 2)
COSTS = {"none": 0, "mail": 40_000, "letter": 11_000_000}
OFFERS = Offers("everyone", frozenset(COSTS), "blocked")
BUDGET = 60_000_000
N = 40


def observed() -> WeekObservations:
    """Forty shoppers; the first three opted out, the next two haven't come for long."""
    number = np.arange(N)
    manifest = Manifest(
        table="observations",
        partition=f"as_of={AS_OF}",
        schema_version=1,
        n_rows=N,
        content_hash="40-0",
        spec_hash="s",
        code_hash="c",
        key_id="k",
        horizon=AS_OF,
        inputs={},
    )
    return WeekObservations(
        user_id=tuple(f"{one:032x}" for one in range(N)),
        observation=make_observations(N),
        is_active=(number < 3) | (number >= 5),
        has_opted_out=number < 3,
        pointer=Pointer(files=(), manifest=manifest),
    )


def decided(budget: int = BUDGET, as_of: date = AS_OF) -> DecidedWeek:
    prices = OfferPrices(tuple(COSTS.values()), 0.3, 0.0, BUDGET, float(N), (0.0,), (0.0,), nothing=0)
    policy = make_policy(*COSTS, prices=prices)
    return decide_week(policy, observed(), OFFERS, WeekStart(as_of, 0), scenario="promotion", weekly_budget=budget)


def check(rows: pa.Table, *, budget: int = BUDGET) -> None:
    refuse_wrong_list(rows, observed(), OFFERS, committed=COSTS, weekly_budget=budget)


def planted(column: str, values: list[Any]) -> pa.Table:
    rows = decided().rows
    place = rows.schema.get_field_index(column)
    return rows.set_column(place, rows.schema.field(place), pa.array(values, rows.schema.field(place).type))


def test_a_list_that_was_drawn_is_right() -> None:
    found = decided()
    check(found.rows)
    assert found.may_get_offers.sum() == N - 5
    assert found.rows["availability_id"].to_pylist() == ["blocked"] * 5 + ["everyone"] * (N - 5)


def test_the_same_week_is_drawn_alike_and_the_next_one_otherwise() -> None:
    assert decided().rows.equals(decided().rows)
    assert decided().rows["action"].to_pylist() != decided(as_of=date(2026, 2, 9)).rows["action"].to_pylist()


def test_a_week_decided_again_keeps_the_ids_of_what_stays() -> None:
    """Decisions have equal ids exactly where all of them is equal: offer, propensity, policy, set and cost."""
    first, again, other = decided().rows, decided().rows, decided(budget=BUDGET // 20).rows
    assert first["decision_id"].to_pylist() == again["decision_id"].to_pylist()
    is_same_id = [
        one == two for one, two in zip(*(rows["decision_id"].to_pylist() for rows in (first, other)), strict=True)
    ]
    contents = [rows.drop_columns(["decision_id"]).to_pylist() for rows in (first, other)]
    assert is_same_id == [one == two for one, two in zip(*contents, strict=True)]
    assert 0 < sum(is_same_id) < N
    week_after = decided(as_of=date(2026, 2, 9)).rows["decision_id"].to_pylist()
    assert not set(week_after) & set(first["decision_id"].to_pylist())


def test_a_cent_too_much_is_caught() -> None:
    rows = decided().rows
    total = sum(rows["committed"].to_pylist())
    check(rows, budget=total)
    with pytest.raises(PolicyError, match=r"commits .* 0\.000001 too much"):
        check(rows, budget=total - 1)


def test_rows_that_understate_what_they_commit_are_caught() -> None:
    """The budget is summed from the offers, not from what rows say."""
    letters = ["none"] * 5 + ["letter"] * (N - 5)
    with pytest.raises(PolicyError, match=r"commits 385\.000000, .* isn't what their offers commit"):
        check(planted("action", letters))


def test_opt_outs_with_an_offer_are_caught_and_counted() -> None:
    rows = decided().rows["action"].to_pylist()
    with pytest.raises(PolicyError, match="2 shoppers get an offer who opted out or haven't come for long"):
        check(planted("action", ["mail", rows[1], rows[2], "mail", *rows[4:]]))
    with pytest.raises(PolicyError, match="1 shopper gets an offer who opted out or hasn't come for long"):
        check(planted("action", ["mail", *rows[1:]]))


def test_shoppers_left_out_or_told_twice_are_caught() -> None:
    rows = decided().rows
    with pytest.raises(PolicyError, match="its 39 rows aren't of the week's 40 shoppers"):
        check(rows.slice(1))
    with pytest.raises(PolicyError, match="decision ids repeat"):
        check(planted("decision_id", [rows["decision_id"][0].as_py()] * N))
    with pytest.raises(PolicyError, match="propensities"):
        check(planted("propensity", [Decimal(0)] * N))


def test_offers_outside_their_set_are_caught() -> None:
    narrow = replace(OFFERS, available=frozenset({"none", "mail"}))
    rows = planted("action", ["none"] * (N - 1) + ["letter"])
    with pytest.raises(PolicyError, match="it sends letter, which everyone doesn't hold"):
        refuse_wrong_list(rows, observed(), narrow, committed=COSTS, weekly_budget=BUDGET)


def test_sets_must_hold_what_they_are_named_for() -> None:
    scenario = load_pipeline("promotion", "simulated_promotion").scenario
    sets = {"everyone": frozenset(COSTS), "blocked": frozenset({"none"})}
    assert offers_of(scenario, sets) == OFFERS
    with pytest.raises(DatasetError, match="names the availability sets blocked, which no delivery holds; known are e"):
        offers_of(scenario, {"everyone": sets["everyone"]})
    with pytest.raises(DatasetError, match=r"eligibility.unavailable \(blocked\) nothing else"):
        offers_of(scenario, sets | {"blocked": frozenset({"none", "mail"})})


def test_a_policy_must_know_how_to_offer_nothing() -> None:
    with pytest.raises(PolicyError, match="knows no action `none`"):
        week_masks(observed(), make_vocabulary("mail", "letter"), OFFERS)


def test_without_masks_all_that_the_policy_knows_may_be_sent() -> None:
    masks, may_get = week_masks(observed(), make_vocabulary("none", "mail"), Offers(None, None, None))
    assert masks.tolist() == [[True, bool(one)] for one in may_get]
