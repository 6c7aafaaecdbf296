"""A night under a limit that products share: kept on every day of a replay and by the list, judged over weeks alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from conf.specs.orders import OrderCandidate, Orders
from rl.errors import DatasetError, EvaluationError, PolicyError
from rl.inventory.shared_orders import Room
from rl.orders import history_reading
from rl.orders.order_basis import OrderBasis
from rl.orders.order_fitting import fit_orders
from rl.orders.order_judging import TODAY, LedOrders, gained, led_orders
from rl.orders.order_list import order_rows, told_room
from rl.orders.tomorrow import refuse_wrong_orders, tomorrow_orders
from tests.rl.orders.order_datasets import a_night, dataset_of
from tests.rl.orders.test_tomorrow import a_policy


def a_tight_night(share: float = 0.6) -> OrderBasis:
    """A small shop with room for a share of what its policy would keep without a limit, in the mean."""
    _, basis = a_night()
    history = basis.dataset.history
    span = basis.span(basis.dataset.splits["validation"])
    rooms = 1 + np.arange(len(history.products)) % 3
    usual = rooms @ span.led(a_policy(), basis.demand(span, 1)).position
    tight = replace(history, room=Room(rooms, int(share * usual.mean())))
    return OrderBasis.of(dataset_of(tight))


@pytest.fixture(scope="module")
def tight() -> OrderBasis:
    return a_tight_night()


def test_a_limit_that_never_binds_changes_nothing() -> None:
    """Day by day over all products, or product by product: the same units and money, with gaps and newcomers."""
    _, basis = a_night()
    history = basis.dataset.history
    known = history.is_known.copy()
    known[2, 100:104] = False
    known[5, :110] = False
    gappy = replace(history, is_known=known)
    wide = replace(gappy, room=Room(np.ones(len(history.products), dtype=np.int64), 10**9))
    days = slice(95, 140)
    plain, shared = (OrderBasis.of(dataset_of(one)).span(days) for one in (gappy, wide))
    demand = basis.demand(plain, 1)
    before, after = plain.led(a_policy(), demand), shared.led(a_policy(), demand)
    np.testing.assert_array_equal(before.earned, after.earned)
    np.testing.assert_array_equal(before.position * plain.is_known, after.position)
    for flow, values in before.flows.items():
        np.testing.assert_array_equal(values, after.flows[flow], err_msg=flow)


def test_the_limit_is_kept_on_every_day_and_uses_what_there_is(tight: OrderBasis) -> None:
    """Reckoned anew from positions; the policy without a limit goes beyond it, so it binds."""
    span = tight.span(tight.dataset.splits["test"])
    room = span.history.room
    assert room is not None
    demand = tight.demand(span, 1)
    free = OrderBasis.of(dataset_of(replace(span.history, room=None))).span(span.days).led(a_policy(), demand)
    assert (room.per_unit @ free.position > room.limit).mean() > 0.5
    found = span.led(a_policy(), demand)
    ordered = found.flows["ordered"].sum(axis=0) > 0
    assert ((room.per_unit @ found.position)[ordered] <= room.limit).all() and ordered.any()
    # As soon as what lay there at first is sold, most of the room is used.
    assert np.median(room.per_unit @ found.position[:, 14:]) > 0.9 * room.limit


def test_a_price_is_found_on_validation_days_and_doesn_t_cost(tight: OrderBasis) -> None:
    """No price at all is among those tried, and a fit without a limit has none."""
    candidate = OrderCandidate(algorithm="newsvendor")
    fitted = fit_orders(tight, candidate, name="newsvendor-1", seed=1, n_threads=1).policy
    room = tight.dataset.history.room
    assert room is not None and fitted.shared_limit == room.limit and fitted.room_price >= 0
    span = tight.span(tight.dataset.splits["validation"])
    demands = [tight.demand(span, 2 + draw) for draw in range(2)]
    earned = [
        sum(int(span.led(one, day).earned.sum()) for day in demands)
        for one in (fitted, replace(fitted, room_price=0.0))
    ]
    assert earned[0] >= earned[1]
    assert fit_orders(a_night()[1], candidate, name="n", seed=1, n_threads=1).policy.shared_limit is None


def test_intervals_are_over_weeks_alone(tight: OrderBasis) -> None:
    """A shared limit ties the products; today's rule is led as it was logged, whatever it takes."""
    days = tight.dataset.splits["test"]
    led = led_orders(tight, days, {"candidate": a_policy()}, n_draws=3)
    found = gained(led, "candidate", TODAY, level=0.9)
    assert found.method == "weeks, and draws of demand"
    untied = LedOrders(
        OrderBasis.of(dataset_of(replace(led.span.history, room=None))).span(days), led.draws, led.policies
    )
    assert gained(untied, "candidate", TODAY, level=0.9).method.startswith("products and weeks")
    with pytest.raises(EvaluationError, match="share no limit"):
        untied.span.room_taken(led.draws[TODAY][0])


def test_tomorrow_s_list_keeps_the_limit_and_says_what_it_holds_back(tight: OrderBasis) -> None:
    """Products without a line keep the room that they were last known to take."""
    history = tight.dataset.history
    policy = a_policy()
    room = history.room
    assert room is not None
    wide = replace(history, room=Room(room.per_unit, 10**9))
    free = tomorrow_orders(policy, wide)
    limit = free.room_taken - int(0.5 * room.of(history.is_listed).needed(free.order))
    found = tomorrow_orders(policy, replace(history, room=Room(room.per_unit, limit)))
    assert 0.9 * limit < found.room_taken <= limit
    np.testing.assert_array_equal(found.held_back, np.maximum(free.order - found.order, 0))
    row = int(np.argmax(found.held_back))
    assert f"({found.held_back[row]:,} fewer, for the limit that all share)" in found.reason(row)
    assert told_room(found) == {"room_taken": found.room_taken, "room_limit": limit}
    assert order_rows(found, "v").num_rows == len(found)
    known = history.is_known.copy()
    known[:3, -1] = False
    missing = tomorrow_orders(policy, replace(history, is_known=known, room=Room(room.per_unit, limit)))
    assert missing.room is not None and missing.room.taken > 0 and missing.room_taken <= limit
    more = replace(found, order=found.order + found.pack_size * 50)
    with pytest.raises(PolicyError, match="of the shared limit of"):
        refuse_wrong_orders(more, policy.fitted_under)


def test_room_is_what_items_tell_and_every_product_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces take 1 each; what nobody tells the volume of can't be fitted in."""
    told = {"a": 5, "b": 0}
    monkeypatch.setattr(history_reading, "read_item_rooms", lambda *_, **__: told)

    def room(of: str, products: tuple[str, ...]) -> Any:
        orders = Orders.model_validate(
            {"candidates": [{"algorithm": "base_stock"}], "shared_limit": {"of": of, "at_most": 12.5}}
        )
        nothing: Any = None
        return history_reading._room(orders, products, nothing, nothing, nothing)

    assert (room("units", ("a", "b")).per_unit.tolist(), room("units", ("a",)).limit) == ([1, 1], 12)
    assert (room("cost", ("a",)).per_unit.tolist(), room("cost", ("a",)).limit) == ([5], 12_500_000)
    with pytest.raises(DatasetError, match="tell none above 0 of 2 of 3 products: b, c"):
        room("volume", ("a", "b", "c"))
