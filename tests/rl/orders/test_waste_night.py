"""A night of products that don't keep: waste is counted for every way to order, charged where that is declared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conf.specs.judging import Gate, Guardrail
from conf.specs.orders import WASTED, Orders, guarded_flows
from rl.errors import DatasetError
from rl.inventory.shared_orders import Room
from rl.inventory.shelf_life import ShelfLife
from rl.orders import history_reading
from rl.orders.order_basis import OrderBasis
from rl.orders.order_figures import _costs, _ways
from rl.orders.order_fitting import tuned_numbers
from rl.orders.order_judging import TODAY, JudgedOrders, judge_orders, led_orders
from rl.orders.order_night import OrderTruth
from rl.orders.order_replay import OrderSpan
from tests.rl.orders.order_datasets import a_night, dataset_of, true_demand_of
from tests.rl.orders.shop_history import PIPELINE
from tests.rl.orders.test_tomorrow import a_policy

COST = 2_000_000


def perishable(days: int, *, is_charged: bool = True, has_cost: bool = True) -> OrderBasis:
    """The night of a small shop whose products can be sold for so many days, the first two for good."""
    _, basis = a_night()
    n = len(basis.dataset.history.products)
    shelf = ShelfLife(
        np.where(np.arange(n) < 2, 0, days), np.full(n, COST) if has_cost else None, is_charged=is_charged
    )
    return OrderBasis.of(dataset_of(replace(basis.dataset.history, shelf=shelf)))


def test_products_that_all_keep_earn_what_they_did() -> None:
    """To the millionth; only a declared shelf has waste among its flows."""
    plain, kept = (basis.span(slice(95, 140)) for basis in (a_night()[1], perishable(0)))
    demand = a_night()[1].demand(plain, 1)
    before, after = plain.led(a_policy(), demand), kept.led(a_policy(), demand)
    np.testing.assert_array_equal(before.earned, after.earned)
    assert set(after.flows) - set(before.flows) == {WASTED} and not after.flows[WASTED].any()
    assert before.waste is None


@pytest.mark.parametrize("is_shared", [False, True])
def test_waste_is_charged_at_its_cost_and_never_held_over_night(is_shared: bool) -> None:
    """Charged or not, the same units are wasted; those that keep waste nothing, in a shared room, too."""
    found = []
    for is_charged in (True, False):
        basis = perishable(5, is_charged=is_charged)
        history = basis.dataset.history
        if is_shared:
            history = replace(history, room=Room(np.ones(len(history.products), dtype=np.int64), 10**9))
        span = OrderSpan(history, basis.forecasts, basis.dataset.money, slice(95, 140))
        demand = basis.demand(span, 1)
        found += [span.led(a_policy(), demand), span.led_as_logged(demand)]
    charged, logged, counted, _ = found
    wasted = charged.flows[WASTED]
    assert wasted.any() and logged.flows[WASTED].any() and not wasted[:2].any()
    np.testing.assert_array_equal(wasted, counted.flows[WASTED])
    np.testing.assert_array_equal(counted.earned - charged.earned, COST * wasted)
    assert charged.waste is not None
    np.testing.assert_array_equal(charged.waste, COST * wasted)
    np.testing.assert_array_equal(charged.holding, 20_000 * charged.flows["closing"])
    # A shelf that is empty since the rest was thrown away hid no demand.
    emptied = (wasted > 0) & (charged.flows["closing"] == 0)
    assert emptied.any() and not charged.flows["ran_out"][emptied].any()


@pytest.mark.parametrize("is_shared", [False, True])
def test_waste_that_a_log_holds_is_charged_to_today_s_rule_and_leaves_no_other_replay(is_shared: bool) -> None:
    """A shop that throws away what is past its days: its log, replayed, wastes what the shop did, and so does any rule.

    What the shop threw away isn't in the log by name, but in its shrinkage.
    """
    shop, basis = a_night()
    days, n = slice(20, 181), len(basis.dataset.history.products)
    units = basis.dataset.history.units
    kept = replace(
        basis.dataset.history,
        shelf=ShelfLife(np.full(n, 3), np.full(n, COST), is_charged=True),
        room=Room(np.ones(n, dtype=np.int64), 10**9) if is_shared else None,
        units=dict(units) | {"closing": units["opening"] + units["received"] - units["sold"]},
    )
    truth = OrderSpan(kept, basis.forecasts, basis.dataset.money, days)
    demand = true_demand_of(shop, truth)
    wasted = truth.led_as_logged(demand)
    written = {name: np.zeros_like(one) for name, one in kept.units.items()} | {"ordered": units["ordered"]}
    for name in ("opening", "sold", "closing"):
        written[name][:, days] = wasted.flows[name]
    known = kept.is_known.copy()
    known[:, : days.start] = False
    log = replace(kept, is_known=known, units=written)
    assert wasted.flows[WASTED].sum() > 1000 and not log.astray.any()
    np.testing.assert_array_equal(log.shrinkage[:, days], wasted.flows[WASTED])
    span = OrderSpan(log, basis.forecasts, basis.dataset.money, days)
    for found, expected in (
        (span.led_as_logged(demand), wasted),
        (span.led(a_policy(), demand), truth.led(a_policy(), demand)),
    ):
        np.testing.assert_array_equal(found.flows[WASTED], expected.flows[WASTED])
        np.testing.assert_array_equal(found.earned, expected.earned)


def test_a_charge_makes_tuned_orders_smaller() -> None:
    """Numbers are found by replays that know what is thrown away."""
    safeties = {"safety": (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0)}
    found = []
    for is_charged in (True, False):
        basis = perishable(4, is_charged=is_charged)
        span = basis.tuned_on
        found.append(tuned_numbers(a_policy(method="base_stock"), span, [basis.demand(span, 1)], safeties)[0].safety)
    assert found[0] < found[1]


def judged(days: int, *, safety: float) -> JudgedOrders:
    basis = perishable(days)
    led = led_orders(
        basis, basis.dataset.splits["test"], {"candidate": a_policy(method="base_stock", safety=safety)}, n_draws=2
    )
    gate = PIPELINE.scenario.gate.model_dump(mode="json")
    return judge_orders(
        led,
        candidate="candidate",
        baseline=TODAY,
        formula="candidate",
        gate=Gate.model_validate(gate | {"guardrails": [{"metric": WASTED, "max_relative_increase": 0.1}]}),
        flows={WASTED: WASTED},
        alpha=0.05,
        confidence=0.9,
        unit_of_value="EUR",
        shown_baseline="today's rule",
    )


def test_a_guardrail_limits_waste() -> None:
    """Kept by orders smaller than today's, broken by larger ones, unknown where today's rule wastes nothing."""
    smaller, larger, none = (judged(5, safety=-4.0), judged(5, safety=2.0), judged(0, safety=0.0))
    assert [one.evidence.guardrails[0].is_kept for one in (smaller, larger, none)] == [True, False, None]
    assert "behavior has no wasted" in str(none.evidence.guardrails[0].refusal)


def test_figures_tell_units_and_money_of_every_way() -> None:
    """Per product and week, as sums over all days say; money where it is known what a piece costs."""
    for has_cost in (True, False):
        basis = perishable(5, is_charged=has_cost, has_cost=has_cost)
        led = led_orders(basis, basis.dataset.splits["test"], {"candidate": a_policy()}, n_draws=2)
        for way in _ways(led, {"candidate": "candidate"}, 0.9, OrderTruth()):
            units = np.mean([draw.flows[WASTED].sum() for draw in led.draws[way.name]]) * 7 / led.n_days
            assert way.wasted == pytest.approx(units) and units > 0
            assert way.waste == (pytest.approx(2 * units) if has_cost else None)
        costs = _costs(led, "candidate").sum()
        parts = sum(int((one.holding + one.missed).sum()) for one in led.draws["candidate"])
        paid = sum(500_000 * int((one.flows["ordered"] > 0).sum()) for one in led.draws["candidate"])
        wasted = sum(COST * int(one.flows[WASTED].sum()) for one in led.draws["candidate"]) * has_cost
        assert costs == pytest.approx(parts + paid + wasted)
    led = led_orders(a_night()[1], basis.dataset.splits["test"], {}, n_draws=2)
    (today,) = _ways(led, {}, 0.9, OrderTruth())
    assert (today.wasted, today.waste) == (None, None)


def test_life_is_declared_by_category_and_charged_where_a_cost_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What keeps needs no cost; a category that no product is of is named."""
    told = {"a": 5, "b": 0}
    monkeypatch.setattr(history_reading, "read_item_rooms", lambda *_, **__: told)

    def shelf(category: tuple[str, ...], **given: Any) -> ShelfLife:
        orders = Orders.model_validate({"candidates": [{"algorithm": "base_stock"}], "shelf": given})
        nothing: Any = None
        found = history_reading._shelf(orders, ("a", "b"), category, nothing, nothing, nothing)
        assert found is not None
        return found

    bread = [{"category": "bread", "days": 2}]
    one = shelf(("bread", "tins"), categories=bread)
    assert one.days.tolist() == [2, 0] and one.cost is not None and one.cost.tolist() == [5, 0] and one.is_charged
    assert shelf(("bread", "tins"), categories=bread, days=9, charged=False).days.tolist() == [2, 9]
    assert shelf(("bread", "tins"), days=9, charged=False).cost is None
    with pytest.raises(DatasetError, match="tell none above 0 of 1 of 2 products: b; deliver it of all, or write"):
        shelf(("bread", "tins"), days=9)
    with pytest.raises(DatasetError, match="no product of the log is of bread; the log has cake, tins"):
        shelf(("cake", "tins"), categories=bread)


def test_guardrails_know_waste_where_it_is_declared() -> None:
    assert WASTED not in guarded_flows(PIPELINE.scenario)
    shelf = Orders.model_validate({"candidates": [{"algorithm": "base_stock"}], "shelf": {"days": 3}})
    scenario = PIPELINE.scenario.model_copy(update={"orders": shelf})
    assert guarded_flows(scenario)[WASTED] == WASTED
    assert Guardrail(metric=WASTED, max_relative_increase=0.1).metric == WASTED
