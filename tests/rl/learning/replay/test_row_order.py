from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from rl.errors import TrainingError
from rl.learning.replay.row_order import RowOrder, ShuffledRows
from tests.rl.learning.replay.uniform_rows import UniformRows

ORDERS: list[Callable[..., RowOrder]] = [ShuffledRows, UniformRows]


@pytest.mark.parametrize("order", ORDERS)
def test_order_repeats_with_the_seed(order: Callable[..., RowOrder]) -> None:
    """The order is the seed's."""
    first, again, other = (order(50, 20, seed=seed).next() for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n_done", [0, 1, 7, 20])
def test_order_goes_on_from_its_state(order: Callable[..., RowOrder], n_done: int) -> None:
    """A state taken within a round, or between two, is followed by what would have followed."""
    left = order(50, 20, seed=3)
    for _ in range(n_done):
        left.next()
    state = _written_and_read(left.state())
    taken_up = order(50, 20, seed=99)
    taken_up.load_state(state)
    assert all(np.array_equal(left.next(), taken_up.next()) for _ in range(10))


@pytest.mark.parametrize("order", ORDERS)
def test_order_refuses_the_state_of_other_data(order: Callable[..., RowOrder]) -> None:
    """A state says nothing about a log of another length."""
    with pytest.raises(TrainingError, match=r"'n_rows': 51.*expected.*'n_rows': 50"):
        order(50, 20, seed=0).load_state(order(51, 20, seed=0).state())


def test_order_refuses_the_state_of_another_order() -> None:
    """A shuffled order can't go on from draws with replacement."""
    with pytest.raises(TrainingError, match="'order': 'uniform'"):
        ShuffledRows(50, 20, seed=0).load_state(UniformRows(50, 20, seed=0).state())


def test_shuffled_rows_go_through_all_rows_before_any_comes_again() -> None:
    """Each round holds every row once, also across batches."""
    rows = ShuffledRows(10, 4, seed=3)
    drawn = np.concatenate([rows.next() for _ in range(5)])
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == list(range(10))
    assert not np.array_equal(drawn[:10], drawn[10:])


def test_shuffled_rows_fill_batches_larger_than_the_data() -> None:
    """A batch may hold rows several times where there are few, each as often as any other or once more."""
    counts = np.bincount(ShuffledRows(3, 8, seed=0).next(), minlength=3)
    assert counts.sum() == 8
    assert counts.max() - counts.min() == 1


def test_uniform_rows_draw_all_rows_alike() -> None:
    """Of 40,000 draws from 10 rows each gets 4,000; 300 is five standard deviations of a binomial count."""
    rows = UniformRows(10, 400, seed=5)
    counts = np.bincount(np.concatenate([rows.next() for _ in range(100)]), minlength=10)
    assert np.abs(counts - 4000).max() < 300


def _written_and_read(state: dict[str, Any]) -> dict[str, Any]:
    """As a checkpoint does it: no code in the file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    read: dict[str, Any] = torch.load(file, weights_only=True)
    return read
