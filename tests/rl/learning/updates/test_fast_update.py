from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from rl.learning.updates.fast_update import (
    copy_weights,
    discounts,
    expected_values,
    least_values,
    move_weights,
    take_over,
    values_of,
)
from tests.rl.learning.learning_batches import make_batch, make_tiny_learner


def functions() -> list[Any]:
    """Two critics of two observations and three actions."""
    tables = torch.tensor([[[1.0, 5.0, 3.0], [0.0, 2.0, 9.0]], [[3.0, 1.0, 3.0], [4.0, 2.0, 1.0]]])
    return [lambda _, table=table: SimpleNamespace(q_value=table) for table in tables]


def test_ensembles_are_averaged_or_taken_at_their_least() -> None:
    """Over critics, action by action."""
    assert expected_values(functions(), None).tolist() == [[2.0, 3.0, 3.0], [2.0, 2.0, 5.0]]
    assert least_values(functions(), None).tolist() == [[1.0, 1.0, 3.0], [0.0, 2.0, 1.0]]
    assert values_of(functions(), None, torch.tensor([2, 0])).tolist() == [[3.0], [0.0]]
    assert torch.equal(expected_values(functions()[:1], None), functions()[0](None).q_value)


def test_discounts_of_rows_that_show_the_same_are_computed_once() -> None:
    """They are those of every row."""
    intervals = torch.tensor([[1.0], [3.0]])
    assert discounts(0.5, intervals).tolist() == [[0.5], [0.125]]
    assert discounts(0.5, intervals[1:].expand(4, 1)).tolist() == [[0.125]]


def test_weights_are_copied_and_moved() -> None:
    """A move by .25 ends a quarter of the way."""
    target, source = nn.Linear(2, 2), nn.Linear(2, 2)
    before = target.weight.detach().clone()
    move_weights(target, source, 0.25)
    assert torch.allclose(target.weight, 0.75 * before + 0.25 * source.weight)
    copy_weights(target, source)
    assert torch.equal(target.weight, source.weight)
    assert torch.equal(target.bias, source.bias)


def test_take_over_wants_a_kind_of_the_same() -> None:
    """An object can't become what it isn't."""
    with pytest.raises(TypeError, match="Linear isn't a ReLU"):
        take_over(nn.ReLU(), nn.Linear)


def test_d3rlpys_update_gives_numbers() -> None:
    """Callers of d3rlpy's interface get floats, and the same update."""
    learner, other = make_tiny_learner("discrete_cql"), make_tiny_learner("discrete_cql")
    batch = make_batch("discrete_cql")
    numbers = other.algorithm.impl.update(batch, 1)
    tensors = learner.update(batch)
    assert all(isinstance(value, float) for value in numbers.values())
    assert numbers == {name: float(value) for name, value in tensors.items()}


def test_targets_take_no_gradient() -> None:
    """Nothing is recorded through networks that no optimizer knows."""
    modules = make_tiny_learner("discrete_iql").algorithm.impl.modules
    assert not any(weight.requires_grad for weight in modules.targ_q_funcs.parameters())
    assert all(weight.requires_grad for weight in modules.q_funcs.parameters())
