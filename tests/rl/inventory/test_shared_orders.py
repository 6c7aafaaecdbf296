"""Orders in packs within a shared limit: never beyond it, as much as fits, and the price that prices say."""

from __future__ import annotations

import numpy as np
import pytest

from rl.data.logged_episodes import IntArray
from rl.errors import InventoryError, PolicyError
from rl.inventory.limits import OrderLimits
from rl.inventory.order_policy import load_order_policy
from rl.inventory.served_orders import ServedOrders
from rl.inventory.shared_orders import Room, orders_within
from rl.inventory.stock import StockStates
from tests.rl.inventory.an_order_policy import LEAD, PRODUCTS, a_policy


def asked(room: Room, wishes: IntArray, limits: OrderLimits, worth: np.ndarray) -> tuple[float, IntArray]:
    """Products that want less the more their room costs against their worth, in whole packs."""

    def ask(price: float) -> IntArray:
        share = np.maximum(1 - price * room.per_unit / worth, 0.0)
        return limits.nearest(np.floor(wishes * share).astype(np.int64), position)

    position = np.zeros(len(wishes), dtype=np.int64)
    return orders_within(ask, position, room, limits, price=0.0, worth=worth)


def test_no_drawn_order_goes_beyond_the_limit_or_breaks_a_pack() -> None:
    """200 drawn days of eight products; what is left free is less than any held back pack takes."""
    generator = np.random.default_rng(3)
    n_bound = 0
    for _ in range(200):
        packs, rooms = generator.choice([1, 6, 12], 8), generator.integers(1, 9, 8)
        wishes, worth = generator.integers(0, 60, 8), generator.uniform(1, 9, 8)
        least = generator.choice([0, 10], 8)
        limits = OrderLimits(packs, least, np.full(8, 10_000))
        room = Room(rooms, int(generator.integers(0, 1500)))
        free = limits.nearest(wishes, np.zeros(8, dtype=np.int64))
        price, orders = asked(room, wishes, limits, worth)
        assert room.needed(orders) <= room.limit
        assert (orders % packs == 0).all() and ((orders == 0) | (orders >= least)).all() and (orders <= free).all()
        if room.needed(free) <= room.limit:
            assert price == 0 and (orders == free).all()
        else:
            n_bound += 1
            assert price > 0
    assert n_bound > 50


def test_room_goes_first_to_what_brings_most_for_it() -> None:
    """Two products alike but for their margin: the dearer one gets what the other doesn't."""
    limits = OrderLimits(np.full(2, 6), np.zeros(2, dtype=np.int64), np.full(2, 1000))
    _, orders = asked(Room(np.ones(2, dtype=np.int64), 60), np.array([60, 60]), limits, np.array([1.0, 9.0]))
    assert orders[1] > orders[0] and 54 < orders.sum() <= 60


def test_nothing_is_ordered_where_nothing_is_left() -> None:
    """Stock beyond the limit stays where it is; what others take counts."""
    limits = OrderLimits(np.ones(2, dtype=np.int64), np.zeros(2, dtype=np.int64), np.full(2, 100))
    room = Room(np.array([2, 3]), 50, taken=40)
    position = np.array([1, 3])
    _, orders = orders_within(lambda _: np.array([5, 5]), position, room, limits, price=0.0, worth=np.array([1.0, 1.0]))
    assert room.left(position) == -1 and not orders.any()


@pytest.mark.parametrize(("per_unit", "limit"), [([0, 1], 5), ([1, 1], -1)])
def test_a_limit_that_is_none_is_refused(per_unit: list[int], limit: int) -> None:
    """Every product takes some."""
    with pytest.raises(InventoryError, match="whole number above 0"):
        Room(np.array(per_unit), limit)


def test_a_policy_at_a_price_orders_less_and_keeps_its_price_and_limit_when_stored(tmp_path: object) -> None:
    """The price counts under a limit alone, and a policy without either has the version that it always had."""
    states = StockStates(np.zeros((3, LEAD), dtype=np.int64), np.full((3, LEAD + 1), 4.0))
    packs, rooms = np.ones(3, dtype=np.int64), np.array([1, 1, 1])
    plain, dear = a_policy(), a_policy(shared_limit=500, room_price=0.2)
    free = plain.of(PRODUCTS, packs).order(states)
    assert (dear.of(PRODUCTS, packs).order(states) == free).all()
    held = dear.of(PRODUCTS, packs, Room(rooms, 500)).order(states)
    assert (held <= free).all() and held.sum() < free.sum()
    assert plain.version == a_policy(shared_limit=None, room_price=0.0).version != dear.version
    dear.save(tmp_path)  # type: ignore[arg-type]  # a folder
    found = load_order_policy(tmp_path)  # type: ignore[arg-type]  # as above
    assert (found.version, found.shared_limit, found.room_price) == (dear.version, 500, 0.2)


def test_a_served_policy_keeps_the_limit_over_a_call_and_asks_for_the_room() -> None:
    """Without it nobody could tell what fits."""
    columns = {
        "item_id": list(PRODUCTS),
        **{f"units_in_{day}d": [0] * 3 for day in range(LEAD)},
        **{f"forecast_{day}d": [4.0] * 3 for day in range(LEAD + 1)},
    }
    served = ServedOrders(a_policy(shared_limit=40))
    with pytest.raises(PolicyError, match="share a limit of 40; add the column room"):
        served.predict(columns)
    found = served.predict(columns | {"room": [2, 2, 1]})
    assert 35 < int(np.array([2, 2, 1]) @ found["order"]) <= 40
