"""Days of orders are divided without gaps, five weeks each, and named by what was read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rl.errors import NothingToLearn
from rl.orders import order_split
from rl.orders.order_split import prepare_orders, split_days
from tests.rl.orders.order_datasets import dataset_of
from tests.rl.orders.shop_history import PIPELINE, a_shop, history_of


def test_twenty_products_and_half_a_year_are_enough() -> None:
    """Every split has its five weeks and its ten products, the last day belongs to none."""
    dataset = dataset_of(history_of(a_shop(n_products=20)))
    splits = dataset.splits
    assert splits["train"].stop == splits["validation"].start and splits["validation"].stop == splits["test"].start
    assert splits["test"].stop == dataset.history.n_days - PIPELINE.source.lateness_days
    assert min(days.stop - days.start for days in splits.values()) >= 35
    counts = [int(dataset.history.is_known[:, days].any(axis=1).sum()) for days in splits.values()]
    assert min(counts) >= PIPELINE.scenario.splits.min_episodes == 10


def test_a_log_on_which_no_unit_earns_learns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ordering nothing is best there: refused with what a unit brings and costs, whichever of the two is wrong."""
    dataset = dataset_of(history_of(a_shop(n_products=20)))
    dear = replace(dataset.money, order_unit=int(dataset.money.margin.max()))
    losing = dataset_of(dataset.history)
    vars(losing)["money"] = dear
    nothing: Any = None
    monkeypatch.setattr(order_split, "_dataset", lambda *_: losing)
    with pytest.raises(NothingToLearn, match=r"no unit earns on the training days: .* and ordering it costs \d"):
        prepare_orders(PIPELINE, nothing, nothing)
    monkeypatch.setattr(order_split, "_dataset", lambda *_: dataset)
    assert prepare_orders(PIPELINE, nothing, nothing) is dataset


def test_too_few_days_learn_nothing_and_say_how_many_there_must_be() -> None:
    """All splits that are too short at once."""
    with pytest.raises(NothingToLearn, match=r"too few days of orders \(120\): validation has 23, test has 31; exp"):
        split_days(PIPELINE, 120)
