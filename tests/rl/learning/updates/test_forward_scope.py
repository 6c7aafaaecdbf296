from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributions import Distribution

from rl.learning.updates.forward_scope import SharedForward, current_scope, forward_scope
from rl.learning.updates.optimizers import FusedAdamWFactory


class Counted(SharedForward, nn.Linear):
    """A linear layer that counts how often it really computes."""

    n_computed = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.n_computed += 1
        return super().forward(x)


def made() -> tuple[Counted, torch.Tensor]:
    torch.manual_seed(0)
    return Counted(3, 2), torch.randn(4, 3)


def test_same_question_is_computed_once() -> None:
    """The second answer is the first, graph and all."""
    layer, x = made()
    with forward_scope():
        first, again = layer(x), layer(x)
    assert again is first
    assert layer.n_computed == 1


def test_other_inputs_are_computed() -> None:
    """Equal values aren't the same tensor."""
    layer, x = made()
    with forward_scope():
        layer(x)
        layer(x.clone())
    assert layer.n_computed == 2


def test_outside_of_a_scope_nothing_is_remembered() -> None:
    """Once it has closed, everything is computed again."""
    layer, x = made()
    with forward_scope():
        layer(x)
    layer(x)
    layer(x)
    assert layer.n_computed == 3
    assert current_scope() is None


def test_answer_with_a_graph_serves_without_it() -> None:
    """Where no gradient is recorded, the answer carries none; the other way round, it is computed anew."""
    layer, x = made()
    with forward_scope():
        with torch.no_grad():
            without = layer(x)
        assert layer(x).requires_grad
        assert layer.n_computed == 2
        with torch.no_grad():
            assert not layer(x).requires_grad
            assert torch.equal(layer(x), without)
        assert layer.n_computed == 2


def test_optimizer_step_forgets_the_networks_it_changed_and_no_others() -> None:
    """After a step the changed network answers with its new weights; the other still from memory."""
    (layer, x), (other, _) = made(), made()
    optimizer = FusedAdamWFactory().create([("", layer)], lr=0.1, compiled=False)
    with forward_scope():
        before = layer(x)
        other(x)
        before.sum().backward()
        optimizer.step()
        assert not torch.equal(layer(x), before)
        other(x)
    assert (layer.n_computed, other.n_computed) == (2, 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, None])
def test_layers_compute_at_half_width_and_answer_at_full(dtype: torch.dtype | None) -> None:
    """Under `bfloat16` outputs are rounded as such, and `float32` again; weights and gradients stay `float32`."""
    layer, x = made()
    with forward_scope(dtype):
        outputs = layer(x)
    assert outputs.dtype == torch.float32
    assert torch.equal(outputs, outputs.bfloat16().float()) == (dtype is torch.bfloat16)
    outputs.sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.dtype == layer.weight.dtype == torch.float32


def test_scopes_nest() -> None:
    """An inner scope has answers of its own; the outer one's are there again afterwards."""
    layer, x = made()
    with forward_scope() as outer:
        layer(x)
        with forward_scope():
            layer(x)
        assert current_scope() is outer
        layer(x)
    assert layer.n_computed == 2


def test_scope_is_its_threads_own() -> None:
    """What another thread computes meanwhile isn't shared."""
    layer, x = made()
    with forward_scope():
        layer(x)
        with ThreadPoolExecutor(1) as other:
            assert other.submit(current_scope).result() is None
            other.submit(layer, x).result()
    assert layer.n_computed == 2


def test_distributions_are_not_validated_inside() -> None:
    """Looking at arguments would make a GPU wait; the process's own setting comes back."""
    before: Any = Distribution._validate_args
    with forward_scope():
        assert not Distribution._validate_args
    assert before == Distribution._validate_args
