"""Tomorrow's orders: what training would have seen that morning, within every limit, each with its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rl.errors import NothingCounted, PolicyError
from rl.inventory.demand_forecast import DemandForecaster
from rl.inventory.limits import UnitLimits
from rl.inventory.order_policy import OrderPolicy, ProductOrders
from rl.inventory.shared_orders import Room
from rl.orders import order_night
from rl.orders.order_basis import OrderBasis
from rl.orders.order_history import OrderHistory
from rl.orders.order_replay import OrderSpan
from rl.orders.tomorrow import TomorrowOrders, refuse_wrong_orders, tomorrow_orders
from tests.rl.orders.order_datasets import a_night, dataset_of, true_demand_of


def a_policy(**given: Any) -> OrderPolicy:
    _, basis = a_night()
    history = basis.dataset.history
    costs = basis.dataset.money.costs(history.products, history.lead_days)
    values: dict[str, Any] = {"name": "newsvendor-1", "method": "newsvendor", "dataset_digest": "d"}
    return OrderPolicy(costs=costs, forecaster=basis.forecaster, variance=basis.variance, **(values | given))


def up_to(history: OrderHistory, n_days: int) -> OrderHistory:
    """The same history as it stood some days before: what its next row knew is what tomorrow knows."""
    cut: dict[str, Any] = {
        name: getattr(history, name)[:, :n_days] for name in ("is_known", "ran_out", "margin", "pipeline", "promoted")
    }
    cut["units"] = {flow: values[:, :n_days] for flow, values in history.units.items()}
    return replace(history, **cut, next_pipeline=history.pipeline[:, n_days], next_promoted=history.promoted[:, n_days])


def test_tomorrow_s_orders_are_those_that_a_replay_places_on_that_day() -> None:
    """The same forecasts and stock, so the same orders: nothing is seen in training that the list lacks."""
    _, basis = a_night()
    history, policy = basis.dataset.history, a_policy()
    day = history.n_days - 20
    found = tomorrow_orders(policy, up_to(history, day))
    span = basis.span(slice(day, day + 1))
    replayed = span.led(policy, np.zeros(span.shape, dtype=np.int64)).flows["ordered"][:, 0]
    place = {name: row for row, name in enumerate(history.products)}
    compared = [row for row, name in enumerate(found.products) if history.is_known[place[name], day]]
    assert len(compared) >= 10
    for row in compared:
        assert found.order[row] == replayed[place[found.products[row]]], found.products[row]


@pytest.mark.parametrize("room", [None, 10**9])
def test_a_champion_is_led_by_its_own_forecasts_in_replays_as_in_its_lists(room: int | None) -> None:
    """Other weekdays, another lift and rate than tonight's: every order of a replay is the one of that day's list."""
    _, basis = a_night()
    own = basis.forecaster
    foreign = replace(
        own,
        weekday=np.roll(own.weekday, 3),
        own_weekday={name: np.roll(factors, 3) for name, factors in own.own_weekday.items()},
        own_lift=dict.fromkeys(own.own_lift, 5.0),
        rate=0.9,
    )
    champion = replace(a_policy(), forecaster=foreign)
    products = basis.dataset.history.products
    shared = None if room is None else Room(np.ones(len(products), dtype=np.int64), room)
    night = OrderBasis.of(dataset_of(replace(basis.dataset.history, room=shared)))
    history, day = night.dataset.history, night.dataset.history.n_days - 20
    listed = tomorrow_orders(champion, up_to(history, day))
    span = night.span(slice(day, day + 1))
    demand = np.zeros(span.shape, dtype=np.int64)
    replayed = dict(zip(products, span.led(champion, demand).flows["ordered"][:, 0].tolist(), strict=True))
    known = dict(zip(products, history.is_known[:, day].tolist(), strict=True))
    compared = {name: int(order) for name, order in zip(listed.products, listed.order, strict=True) if known[name]}
    assert len(compared) >= 10
    assert compared == {name: replayed[name] for name in compared}
    by_tonight = dict(zip(products, span.led(a_policy(), demand).flows["ordered"][:, 0].tolist(), strict=True))
    assert compared != {name: by_tonight[name] for name in compared}
    # A forecaster that was written and read again forecasts the same, to the last bit.
    again = DemandForecaster.from_json(json.loads(json.dumps(own.to_json())))
    np.testing.assert_array_equal(night.forecasts_by(again), night.forecasts)


def test_each_line_says_what_it_rests_on() -> None:
    """Forecast, level, what is there and on the way; and why nothing is ordered where nothing is."""
    found = tomorrow_orders(a_policy(), a_night()[1].dataset.history)
    for row in range(len(found)):
        told = found.reason(row)
        assert f"{found.on_hand[row]:,} on hand and {found.on_the_way[row]:,} on the way" in told
        assert ("more" in told) == bool(found.order[row])
    enough = replace(found, order=np.zeros_like(found.order), level=np.zeros_like(found.level))
    assert enough.reason(0).endswith("enough")
    batch = replace(found, order=np.zeros_like(found.order), level=found.on_hand + found.on_the_way + 3.0)
    assert batch.reason(0).endswith("3 short, less than is ordered at once")


def test_what_is_overdue_is_never_said_to_be_on_hand() -> None:
    """An empty shelf whose order is overdue counts on it, and says on what; the same order either way."""
    history = a_night()[1].dataset.history
    row = int(np.argmax(np.where(history.is_listed, history.units["sold"].sum(axis=1), 0)))
    stock, due = history.next_pipeline.copy(), np.zeros(len(history.products), dtype=np.int64)
    stock[row], due[row] = [159, *[0] * (history.lead_days - 1)], 159
    plain = tomorrow_orders(a_policy(), replace(history, next_pipeline=stock))
    line = plain.products.index(history.products[row])
    told = tomorrow_orders(a_policy(), replace(history, next_pipeline=stock, next_due=due, next_overdue=due))
    assert (told.on_hand[line], told.on_the_way[line]) == (0, 159)
    assert "0 on hand and 159 on the way, 159 of them overdue" in told.reason(line)
    unknown = tomorrow_orders(a_policy(), replace(history, next_pipeline=stock, next_due=due))
    assert "0 on hand and 159 on the way, 159 of them due that day or overdue" in unknown.reason(line)
    np.testing.assert_array_equal(told.order, plain.order)
    punctual = replace(history, next_pipeline=stock, next_due=due, next_overdue=np.zeros_like(due))
    assert "overdue" not in tomorrow_orders(a_policy(), punctual).reason(line)


def test_a_line_names_the_limit_that_holds_it_back() -> None:
    """Most units are no least order: the reason says which of the two it is, and what can never be ordered is named."""
    history, policy = a_night()[1].dataset.history, a_policy()
    free = tomorrow_orders(policy, history)
    row = int(np.argmax(free.order - free.pack_size))
    most = int((free.on_hand + free.on_the_way + free.pack_size)[row])
    held = tomorrow_orders(policy, replace(history, limits=UnitLimits(0, most)))
    assert 0 < held.order[row] < free.order[row]
    np.testing.assert_array_equal(held.held_by_most, free.order - held.order)
    assert f"({held.held_by_most[row]:,} fewer, since {most:,} may be on hand" in held.reason(row)
    full = tomorrow_orders(policy, replace(history, limits=UnitLimits(0, most - 1)))
    assert not full.order[row]
    assert full.reason(row).endswith("at most)") and "less than is ordered at once" not in full.reason(row)
    packs = history.pack_size.copy()
    place = history.products.index(free.products[row])
    packs[place] = most + 1
    large = tomorrow_orders(policy, replace(history, pack_size=packs, limits=UnitLimits(0, most)))
    assert large.never_ordered == (free.products[row],)
    assert large.reason(row).endswith(f"the smallest order is more than the {most:,} allowed")
    # Under a shared limit, too: each limit is told for its own units.
    shared = Room(np.ones(len(packs), dtype=np.int64), held.order.sum() // 2 + (held.on_hand + held.on_the_way).sum())
    both = tomorrow_orders(policy, replace(history, limits=UnitLimits(0, most), room=shared))
    np.testing.assert_array_equal(both.order + both.held_back + both.held_by_most, free.order)


@pytest.mark.parametrize("method", ["newsvendor", "projected_level"])
def test_a_product_with_large_packs_is_ordered_where_nothing_is_left_and_named(method: str) -> None:
    """In the list and in replays: packs of 96 of what sells 2 a day, which no level reaches half of."""
    days, basis = a_night()
    history, policy = basis.dataset.history, a_policy(method=method)
    sold = history.units["sold"].sum(axis=1) / np.maximum(history.is_known.sum(axis=1), 1)
    row = int(np.argmin(np.where(history.is_listed, sold, np.inf)))
    packs, empty = history.pack_size.copy(), history.next_pipeline.copy()
    packs[row], empty[row] = 96, 0
    made = replace(history, pack_size=packs, next_pipeline=empty)
    found = tomorrow_orders(policy, made)
    line = found.products.index(history.products[row])
    assert 0 < 2 * found.level[line] < 96 == found.order[line]
    assert found.coarse_packs == (history.products[row],) and not found.not_worth_a_pack
    assert "96 more in packs of 96, the least there is, since waiting would lose more" in found.reason(line)
    span = OrderSpan(made, basis.forecasts, basis.dataset.money, basis.dataset.splits["test"])
    led = span.led(policy, true_demand_of(days, span))
    assert led.flows["ordered"][row].sum() >= 96
    assert led.lost[row].sum() < 0.2 * led.flows["sold"][row].sum()
    # A pack for years isn't worth it: never ordered, and named.
    packs[row] = 9600
    never = tomorrow_orders(policy, replace(made, pack_size=packs))
    assert not never.order[line] and never.not_worth_a_pack == (history.products[row],)
    assert never.reason(line).endswith("short, and the least that can be ordered costs more than it brings")


def test_products_that_were_not_counted_have_no_line() -> None:
    """Nobody knows what is there; without any count there is no list."""
    history = a_night()[1].dataset.history
    known = history.is_known.copy()
    known[:4, -1] = False
    found = tomorrow_orders(a_policy(), replace(history, is_known=known))
    assert not set(history.products[:4]) & set(found.products)
    known[:, -1] = False
    with pytest.raises(NothingCounted, match="no product was counted"):
        tomorrow_orders(a_policy(), replace(history, is_known=known))
    uncounted = dataset_of(replace(history, is_known=known))
    assert order_night._tomorrow(a_policy(), uncounted) is None


def test_a_night_whose_list_breaks_a_limit_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads that nothing was counted where a list was refused."""
    history = a_night()[1].dataset.history
    monkeypatch.setattr(ProductOrders, "advise", lambda _, states: (states.position * 1.0, states.position * 0 - 1))
    with pytest.raises(PolicyError, match="the list of orders was not published: 9 orders are below 0"):
        order_night._tomorrow(a_policy(), dataset_of(history))


def test_a_policy_for_another_lead_time_places_no_orders() -> None:
    """It would count on units that come on other days."""
    policy = a_policy()
    other = replace(policy, costs=replace(policy.costs, lead_time=9))
    with pytest.raises(PolicyError, match="9 days of waiting, the scenario declares 3"):
        tomorrow_orders(other, a_night()[1].dataset.history)


@pytest.mark.parametrize(
    ("order", "expected"), [(7, "aren't whole packs"), (-6, "below 0"), (6, "least order"), (600, "go beyond 100")]
)
def test_a_list_that_breaks_a_limit_is_refused(order: int, expected: str) -> None:
    """Reckoned anew from its own columns, whatever made them."""
    history = a_night()[1].dataset.history
    found: TomorrowOrders = tomorrow_orders(a_policy(), history)
    n = len(found)
    wrong = replace(
        found, pack_size=np.full(n, 6), order=np.full(n, 12), on_hand=np.full(n, 1), on_the_way=np.full(n, 1)
    )
    limits = UnitLimits(12, 100)
    refuse_wrong_orders(wrong, limits)
    wrong.order[0] = order
    with pytest.raises(PolicyError, match=expected):
        refuse_wrong_orders(wrong, limits)


def test_limits_of_the_scenario_bind_a_policy_that_was_fitted_under_others() -> None:
    """In a list as in a replay: most units where it had none, and a least order above its own."""
    _, basis = a_night()
    free, history = a_policy(), basis.dataset.history
    most = int(np.median(tomorrow_orders(free, history).level) / 2)
    limits = UnitLimits(9, most)
    bound = tomorrow_orders(free, replace(history, limits=limits))
    held = bound.on_hand + bound.on_the_way + bound.order
    assert (held[bound.order > 0] <= most).all() and (bound.order[bound.order > 0] >= 9).all()
    own = replace(free, least_order=9, most_units=most)
    np.testing.assert_array_equal(bound.order, tomorrow_orders(own, history).order)
    # And the other way round: what the scenario no longer asks for holds nothing back.
    np.testing.assert_array_equal(
        tomorrow_orders(own, replace(history, limits=UnitLimits())).order, tomorrow_orders(free, history).order
    )
    days = basis.dataset.splits["test"]
    limited = OrderBasis.of(dataset_of(replace(history, limits=limits)))
    demand = basis.demand(basis.span(days), 1)
    before, after = basis.span(days).led(own, demand), limited.span(days).led(free, demand)
    np.testing.assert_array_equal(before.earned, after.earned)
    assert (before.earned != basis.span(days).led(free, demand).earned).any()
