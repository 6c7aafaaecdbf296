"""Products without a line in tomorrow's orders: counted and named while in the range, with what lies of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.paths import Lake
from conf.specs.orders import SharedLimit
from conf.specs.scenario import Pipeline, load_pipeline
from rl.inventory.shared_orders import Room
from rl.orders import history_reading
from rl.orders.tomorrow import tomorrow_orders
from rl.orders.unlisted import counted_lately, last_known_units, sold_lately
from tests.rl.orders.order_datasets import a_night
from tests.rl.orders.shop_history import PIPELINE
from tests.rl.orders.test_tomorrow import a_policy
from tests.rl.shopper_models.events_lake import FIRST, event, write_events

N_DAYS = 20
HORIZON = FIRST + timedelta(days=N_DAYS - 1)


def moved(product: str, day: int, kind: str, units: int, hour: int = 12, **more: Any) -> Any:
    at = datetime.combine(FIRST + timedelta(days=day), time(hour), tzinfo=UTC)
    name = f"{product}-{day}-{kind}-{hour}"
    return event("", day, kind, **({"event_id": name, "event_time": at, "item_id": product, "quantity": units} | more))


def a_lake(folder: Path, rows: list[Any]) -> Lake:
    lake = Lake(folder, "simulated_inventory")
    write_events(lake, rows, n_days=N_DAYS)
    return lake


def test_products_counted_lately_are_in_the_range_whatever_became_of_their_block(tmp_path: Path) -> None:
    """Eight days, within which the next count has to come; without any events days alone have to tell."""
    rows = [moved("a", N_DAYS - 1, "stock", 3), moved("b", N_DAYS - 9, "stock", 3), moved("gone", 5, "stock", 3)]
    rows += [moved("sold", N_DAYS - 1, "purchase", 1)]
    assert counted_lately(PIPELINE, a_lake(tmp_path / "lake", rows), HORIZON) == {"a", "b"}
    assert counted_lately(PIPELINE, Lake(tmp_path / "none", "simulated_inventory"), HORIZON) is None


def test_products_sold_lately_are_in_the_range_of_a_log_without_counts(tmp_path: Path) -> None:
    """On the day after the horizon: also who was sold on the last day for the first time; nobody counts."""
    pipeline = load_pipeline("orders_from_sales", "simulated_sales")
    ordering = pipeline.scenario.ordering
    assert ordering is not None
    scenario = pipeline.scenario.model_copy(update={"ordering": ordering.model_copy(update={"range_days": 7})})
    rows = [moved("new", N_DAYS - 1, "purchase", 2), moved("old", N_DAYS - 7, "purchase", 1)]
    rows += [moved("gone", N_DAYS - 8, "purchase", 4), moved("back", N_DAYS - 1, "refund", 1)]
    lake = a_lake(tmp_path / "lake", rows)
    assert sold_lately(Pipeline(source=pipeline.source, scenario=scenario), lake, HORIZON) == {"new", "old"}


def test_units_are_the_last_count_s_with_what_came_and_went_since_and_what_is_on_its_way(tmp_path: Path) -> None:
    """To the piece; a line that a later delivery repeats counts once; what was never counted begins with nothing."""
    rows = [
        moved("a", 10, "stock", 90),
        moved("a", 15, "stock", 40),
        moved("a", 15, "purchase", 5, 10),  # before the count
        moved("a", 15, "purchase", 7, 14),
        moved("a", 12, "order", 24, order_id="o1"),
        moved("a", 14, "receipt", 24, order_id="o1"),
        moved("a", 14, "order", 90, 8, order_id="lost"),  # to the 17th: on the 20th nobody expects it any more
        moved("a", 15, "order", 12, 8, order_id="o2"),
        moved("a", 16, "receipt", 6, order_id="o2"),
        moved("a", 17, "order", 30, order_id="o3"),
        moved("b", 17, "order", 4, order_id="o3"),
        moved("b", 18, "purchase", 2),
        moved("other", 18, "stock", 1000),
    ]
    repeated = [
        moved("a", 15, "purchase", 7, 14, event_id="again"),
        moved("a", 15, "purchase", 7, 14, event_id="again"),
    ]
    rows += [repeated[0], (repeated[1][0], 16, repeated[1][2])]
    found = last_known_units(PIPELINE, a_lake(tmp_path / "lake", rows), HORIZON, ("a", "b", "c"))
    assert found.tolist() == [(40 - 7 - 7 + 6) + 6 + 30, 0 + 4, 0]


def test_a_receipt_is_of_the_latest_order_of_its_number_by_then(tmp_path: Path) -> None:
    """Numbers recur: what an old order brought is not taken off a new one, nor what is due tonight off tomorrow's."""
    rows = [
        moved("a", 1, "order", 10, order_id="weekly"),
        moved("a", 4, "receipt", 10, order_id="weekly"),
        moved("a", 18, "order", 10, order_id="weekly"),
        moved("b", 17, "order", 6, order_id="weekly"),
        moved("b", 18, "receipt", 4, order_id="weekly"),
        moved("b", 19, "order", 5, order_id="weekly"),
        moved("a", 19, "stock", 0),
        moved("b", 19, "stock", 0),
    ]
    found = last_known_units(PIPELINE, a_lake(tmp_path / "lake", rows), HORIZON, ("a", "b"))
    assert found.tolist() == [10, 2 + 5]


def test_a_newcomer_whose_first_block_is_set_aside_keeps_its_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transition ever told of it; its events do, and items what it takes."""
    lake = a_lake(tmp_path / "lake", [moved(one, N_DAYS - 1, "stock", 8) for one in ("listed", "new")])
    orders = PIPELINE.scenario.orders
    assert orders is not None
    limited = orders.model_copy(update={"shared_limit": SharedLimit(of="cost", at_most=50)})
    pipeline = Pipeline(source=PIPELINE.source, scenario=PIPELINE.scenario.model_copy(update={"orders": limited}))
    monkeypatch.setattr(history_reading, "read_item_rooms", lambda *_, **__: {"new": 2_000_000, "listed": 1})
    found = history_reading._unlisted(pipeline, lake, HORIZON, {"listed"}, None)
    assert found is not None
    assert (found.products, found.units.tolist(), found.room) == (("new",), [8], 16_000_000)


def test_a_missed_count_leaves_a_product_counted_and_its_room_kept_until_the_block_ends() -> None:
    """Whichever day it was missed on: the whole block has no decisions, also for a list made weeks later."""
    _, basis = a_night()
    history = basis.dataset.history
    n, policy = len(history.products), a_policy()
    wide = replace(history, room=Room(np.ones(n, dtype=np.int64), 10**6))
    in_range = np.flatnonzero(history.is_known[:, -25:].all(axis=1))[:4]
    for n_days in (3, 8, 20):
        known = history.is_known.copy()
        known[in_range, -n_days:] = False
        aside = replace(wide, is_known=known, block_start=history.n_days - n_days)
        found = tomorrow_orders(policy, aside)
        assert {history.products[row] for row in in_range} <= set(aside.unlisted.products), n_days
        assert found.room is not None
        assert found.room.taken == aside.unlisted.units.sum() > 0, n_days
        assert found.room_taken == found.room.taken + (found.on_hand + found.on_the_way + found.order).sum()
    # Who left the range in the middle of the block isn't waited for.
    left = history.is_known.copy()
    left[in_range[0], -10:] = False
    gone = replace(wide, is_known=left, block_start=history.n_days - 20)
    assert history.products[in_range[0]] not in gone.unlisted.products
