"""A log of orders read from a lake: what its items tell, and of which products they don't."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conf.paths import Lake
from conf.specs.problem import Feature
from conf.specs.scenario import Pipeline
from rl.data.transitions_reading import read_transitions
from rl.orders.history_reading import read_history
from rl.orders.order_history import OrderHistory
from tests.rl.factories import write_items
from tests.rl.orders.order_lake import SOURCE, write_order_lake
from tests.rl.orders.shop_history import PIPELINE, a_shop, history_of


def read_with(home: Path, packs: Mapping[int, int]) -> tuple[OrderHistory, OrderHistory]:
    """A small shop's history as it was written, and as it is read with those packs, by row, in place of its own."""
    settings, history = write_order_lake(home, a_shop(n_products=4, n_days=40))
    lake, horizon = Lake(settings.lake, SOURCE), history.last_day
    told = {history.products[row]: size for row, size in packs.items()}
    write_items(lake, PIPELINE, history.first_day, dict.fromkeys(history.products, "c1"), told)
    return history, read_history(PIPELINE, lake, read_transitions(PIPELINE, lake, horizon), horizon)


def test_products_without_a_pack_size_are_named_where_items_tell_others(tmp_path: Path) -> None:
    """They are ordered by the piece, as before; that it is so isn't left for the supplier to find out."""
    history, found = read_with(tmp_path / "home", {0: 6, 1: 12, 2: 1})
    assert history.is_listed[3]
    assert found.pack_size.tolist() == [6, 12, 1, 1]
    assert found.untold_packs == (history.products[3],)


def test_a_shop_that_tells_no_packs_orders_by_the_piece_without_a_word(tmp_path: Path) -> None:
    """It has none."""
    _, found = read_with(tmp_path / "home", {})
    assert found.untold_packs == () and found.pack_size.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("observes", [True, False])
def test_what_is_due_or_overdue_is_told_from_what_is_there(tmp_path: Path, observes: bool) -> None:
    """The morning after the last day; orders count on both, whether or not what is overdue is observed apart."""
    features = (*PIPELINE.scenario.observation.features, *([Feature(name="units_overdue")] if observes else []))
    observation = PIPELINE.scenario.observation.model_copy(update={"features": features})
    scenario = PIPELINE.scenario.model_copy(update={"observation": observation})
    pipeline = Pipeline(source=PIPELINE.source, scenario=scenario)
    days = a_shop(n_products=3, n_days=40)
    made = history_of(days)
    due, overdue = np.array([8, 3, 0]), np.array([5, 0, 0])
    made = replace(made, next_pipeline=np.add(made.next_pipeline, [8, 0, 0]), next_due=due, next_overdue=overdue)
    settings, history = write_order_lake(tmp_path / "home", days, pipeline, history=made)
    lake, horizon = Lake(settings.lake, SOURCE), history.last_day
    found = read_history(pipeline, lake, read_transitions(pipeline, lake, horizon), horizon)
    np.testing.assert_array_equal(found.next_pipeline, history.next_pipeline)
    assert found.next_due is not None
    assert found.next_due.tolist() == due.tolist()
    assert (found.next_overdue is not None) == observes
    if found.next_overdue is not None:
        assert found.next_overdue.tolist() == overdue.tolist()


def test_days_that_sold_out_before_something_came_in_hide_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows say so, though something was left in the end; a morning's empty shelf counts where the shop is filled so."""
    days = a_shop(n_products=4, n_days=60)
    history, usual = history_of(days), days.ran_out
    units = history.units
    filled = history.is_known & ~history.ran_out & (units["received"] > 0)
    at_noon, at_dawn = filled & (units["opening"] > 0), filled & (units["opening"] == 0)
    assert at_noon.any() and at_dawn.any()
    told = usual | np.pad(at_noon, ((0, 0), (0, 1)))
    for where, is_told, expected in (
        ("morning", usual, history.ran_out),
        ("noon", told, history.ran_out | at_noon | at_dawn),
    ):
        monkeypatch.setattr(type(days), "ran_out", is_told)
        settings, _ = write_order_lake(tmp_path / where, days)
        lake, horizon = Lake(settings.lake, SOURCE), history.last_day
        found = read_history(PIPELINE, lake, read_transitions(PIPELINE, lake, horizon), horizon)
        np.testing.assert_array_equal(found.ran_out, expected, err_msg=where)
