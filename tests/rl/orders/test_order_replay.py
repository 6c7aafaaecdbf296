"""Replays of products' days: the log's own path where nothing differs, gaps respected, money to the millionth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rl.orders.order_replay import Money, OrderSpan
from rl.orders.order_split import unit_margins
from rl.orders.stretches import Stretches
from tests.rl.orders.order_datasets import a_night, dataset_of, true_demand_of
from tests.rl.orders.shop_history import a_shop, history_of


def test_stretches_are_known_days_without_a_gap() -> None:
    """By product and time; values go there and back, 0 in between."""
    known = np.array([[1, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 1]], dtype=bool)
    found = Stretches.of(known)
    assert list(zip(found.product.tolist(), found.first.tolist(), found.length.tolist(), strict=True)) == [
        (0, 0, 2),
        (0, 3, 3),
        (2, 1, 1),
        (2, 5, 1),
    ]
    values = np.arange(1, 19).reshape(3, 6)
    assert found.taken(values).tolist() == [[1, 2, 0], [4, 5, 6], [14, 0, 0], [18, 0, 0]]
    np.testing.assert_array_equal(found.placed(found.taken(values), (3, 6)), values * known)


@pytest.mark.parametrize(("lost", "found_again"), [(0.0, 0.0), (0.02, 0.05)])
def test_logged_orders_on_true_demand_are_the_log_where_the_shop_is_as_declared(
    lost: float, found_again: float
) -> None:
    """Orders that come as promised: stock, sales and what is left are the shop's own, whatever goes astray."""
    shop: dict[str, Any] = {"lead_shares": (0.0, 1.0), "split_share": 0.0, "newcomer_share": 0.3}
    days = a_shop(**shop, shrinkage_rate=lost, found_rate=found_again)
    history = history_of(days)
    assert bool(lost) == (history.shrinkage > 0).any() == (history.shrinkage < 0).any()
    dataset = dataset_of(history)
    span = OrderSpan(history, np.ones((*history.is_known.shape, 4)), dataset.money, slice(20, 120))
    found = span.led_as_logged(true_demand_of(days, span))
    for flow, logged in (("ordered", "ordered"), ("sold", "sold"), ("closing", "closing")):
        np.testing.assert_array_equal(found.flows[flow], history.units[logged][:, 20:120], err_msg=flow)
    np.testing.assert_array_equal(found.flows["opening"], history.pipeline[:, 20:120, 0])
    np.testing.assert_array_equal(found.flows["ran_out"] == 1, span.ran_out)
    np.testing.assert_array_equal(found.lost, true_demand_of(days, span) - found.flows["sold"])


def test_money_is_margin_less_holding_and_orders_to_the_millionth() -> None:
    """Reckoned anew from units, with each day's own margin, in Python's whole numbers."""
    days, basis = a_night()
    span = basis.span(slice(60, 100))
    found, money, history = span.led_as_logged(true_demand_of(days, span)), span.money, span.history
    for product in range(len(history.products)):
        for day in range(span.shape[1]):
            sold, left, order = (int(found.flows[flow][product, day]) for flow in ("sold", "closing", "ordered"))
            margin = int(money.margin[product, int(history.promoted[product, 60 + day, 0])])
            expected = margin * sold - 20_000 * left - 500_000 * (order > 0)
            assert int(found.earned[product, day]) == expected
            assert int(found.missed[product, day]) == margin * int(found.lost[product, day])
    assert found.earned.any() and not found.earned[~span.is_known].any()


def test_no_more_goes_astray_than_there_is_and_units_that_turn_up_are_owed_first() -> None:
    """A wrong count that the next one corrects makes no stock, whoever ordered less than the log."""
    history = history_of(a_shop(n_products=1, newcomer_share=0.0, leaver_share=0.0))
    units = {flow: np.zeros_like(values) for flow, values in history.units.items()}
    # 50 were counted too few on the second morning, and 30 of them found on the third.
    units["opening"][0, :3], units["closing"][0, :3] = (60, 10, 40), (10, 40, 40)
    pipeline = np.zeros_like(history.pipeline)
    pipeline[0, :, 0] = 20
    made = replace(history, units=units, pipeline=pipeline, is_known=np.ones_like(history.is_known))
    assert made.shrinkage[0, :4].tolist() == [50, -30, 0, 0]
    span = OrderSpan(made, np.ones((*made.is_known.shape, 4)), dataset_of(made).money, slice(0, 6))
    found = span.led_as_logged(np.zeros(span.shape, dtype=np.int64))
    assert found.flows["closing"][0].tolist() == [0] * 6
    assert found.position[0].tolist() == [20, 0, 0, 0, 0, 0]


def test_a_gap_begins_anew_from_the_counted_stock() -> None:
    """What happens after days that aren't known doesn't depend on what happened before them."""
    days, basis = a_night()
    history = basis.dataset.history
    known = history.is_known.copy()
    known[:, 80] = False
    span = OrderSpan(replace(history, is_known=known), basis.forecasts, basis.dataset.money, slice(60, 100))
    demand = true_demand_of(days, span)
    more = demand.copy()
    more[:, :20] += 5 * span.is_known[:, :20]
    before, after = span.led_as_logged(demand), span.led_as_logged(more)
    np.testing.assert_array_equal(before.earned[:, 21:], after.earned[:, 21:])
    assert (before.earned[:, :20] != after.earned[:, :20]).any()
    assert not before.earned[:, 20].any()


def test_margins_of_a_unit_are_those_of_its_kind_of_day() -> None:
    """With promotion and without; what was never sold so takes the product's, a newcomer's that of all."""
    sold = np.array([[2, 4, 0], [5, 5, 0], [0, 0, 0]])
    margin = np.array([[10_000_000, 8_000_000, 0], [5_000_000, 5_000_000, 0], [0, 0, 0]])
    promoted = np.array([[False, True, False], [False, False, False], [False, True, False]])
    assert unit_margins(sold, margin, promoted).tolist() == [
        [5_000_000, 2_000_000],
        [1_000_000, 1_000_000],
        [1_750_000, 1_750_000],
    ]
    np.testing.assert_array_equal(unit_margins(sold, -margin, promoted), -unit_margins(sold, margin, promoted))


def test_prices_of_policies_are_those_of_the_replay_in_money() -> None:
    """So that a policy weighs what the replay will charge."""
    money = Money(np.array([[2_000_000, 1_000_000], [4_000_000, 4_000_000]]), 20_000, 500_000, 0)
    costs = money.costs(("a", "b"), 3)
    assert (costs.holding_cost, costs.order_cost, costs.lead_time) == (0.02, 0.5, 3)
    assert costs.margins(("b", "a", "c")).tolist() == [4.0, 2.0, 3.0]
    # A quantile needs a margin above 0; the replay's own stays what it is.
    losing = replace(money, margin=money.margin * np.array([[1], [-1]]))
    assert losing.costs(("a", "b"), 3).margins(("a", "b")).tolist() == [2.0, 0.01]
    assert losing.is_losing.tolist() == [False, True]
    # A sale that is lost saves what its unit costs to order.
    dear = replace(money, order_unit=1_500_000)
    assert dear.costs(("a", "b"), 3).margins(("a", "b")).tolist() == [0.5, 2.5]
    assert replace(money, order_unit=2_000_000).is_losing.tolist() == [True, False]


def test_what_is_sold_at_a_loss_earns_its_loss_in_a_replay_as_in_the_log() -> None:
    """To the millionth, orders and holding included, where the shop is as declared and every unit loses the same."""
    days = a_shop(lead_shares=(0.0, 1.0), split_share=0.0, shrinkage_rate=0.0, found_rate=0.0)
    history = history_of(days)
    margin = history.margin.copy()
    margin[:5] = -3_000_000 * history.units["sold"][:5]
    dataset = dataset_of(replace(history, margin=margin))
    kept = slice(20, 120)
    span = OrderSpan(dataset.history, np.ones((*history.is_known.shape, 4)), dataset.money, kept)
    logged = margin[:5, kept] - 20_000 * history.units["closing"][:5, kept]
    logged -= 500_000 * (history.units["ordered"][:5, kept] > 0)
    np.testing.assert_array_equal(span.led_as_logged(true_demand_of(days, span)).earned[:5], logged)
    assert dataset.money.is_losing.tolist() == [True] * 5 + [False] * 7
