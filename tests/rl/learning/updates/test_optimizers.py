from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from rl.learning.updates.optimizers import CosineRate, FusedOptimizer, optimizer_factory

RATE, N_UPDATES = 0.01, 20


def made() -> tuple[nn.Linear, FusedOptimizer]:
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    return layer, optimizer_factory(N_UPDATES).create(layer.named_modules(), lr=RATE, compiled=False)


def rate_of(optimizer: FusedOptimizer) -> float:
    return float(optimizer.optim.param_groups[0]["lr"])


def learn(layer: nn.Linear, optimizer: FusedOptimizer) -> None:
    optimizer.zero_grad()
    torch.autograd.backward((layer(torch.ones(4, 3)) ** 2).mean())
    optimizer.step()


def test_rate_falls_as_torchs_own_cosine() -> None:
    """Update by update the rate is that of torch's scheduler, down to a hundredth."""
    layer, optimizer = made()
    other = torch.optim.SGD(layer.parameters(), lr=RATE)
    schedule = CosineAnnealingLR(other, T_max=N_UPDATES, eta_min=RATE / 100)
    for _ in range(N_UPDATES):
        assert rate_of(optimizer) == pytest.approx(other.param_groups[0]["lr"])
        learn(layer, optimizer)
        other.step()
        schedule.step()
    assert rate_of(optimizer) == pytest.approx(RATE / 100)


def test_rate_goes_on_where_it_was_saved() -> None:
    """The schedule is part of the optimizer's state."""
    layer, optimizer = made()
    for _ in range(7):
        learn(layer, optimizer)
    _, again = made()
    again.load_state_dict(optimizer.state_dict())
    assert rate_of(again) == rate_of(optimizer) < RATE


def made_with_rate_in_tensor() -> tuple[nn.Linear, FusedOptimizer]:
    """As on a GPU, where a captured graph reads the rate from a tensor."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 2)
    parameters = list(layer.parameters())
    plain = torch.optim.AdamW(parameters, lr=torch.tensor(RATE), fused=True)
    return layer, FusedOptimizer(parameters, plain, False, None, CosineRate(plain, N_UPDATES))


def test_rate_stays_in_its_tensor_when_a_state_is_loaded() -> None:
    """The tensor that a graph reads is filled, not replaced by one of the checkpoint's device, and follows on."""
    layer, optimizer = made_with_rate_in_tensor()
    for _ in range(7):
        learn(layer, optimizer)
    other, again = made_with_rate_in_tensor()
    rate = again.optim.param_groups[0]["lr"]
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert again.optim.param_groups[0]["lr"] is rate
    assert float(rate) == rate_of(optimizer) < RATE
    learn(other, again)
    assert float(rate) < rate_of(optimizer)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_rate_of_a_resumed_gpu_run_is_on_the_gpu() -> None:
    """Whatever device the checkpoint was read to."""
    layer = nn.Linear(3, 2, device="cuda")
    optimizer = optimizer_factory(N_UPDATES).create(layer.named_modules(), lr=RATE, compiled=False)
    rate = optimizer.optim.param_groups[0]["lr"]
    state = optimizer.state_dict()
    state["optim"]["param_groups"][0]["lr"] = rate.cpu()
    optimizer.load_state_dict(state)
    assert optimizer.optim.param_groups[0]["lr"] is rate
    assert rate.is_cuda


def test_updates_are_those_of_plain_adamw() -> None:
    """Fused or not, the weights are the same to 1e-6."""
    (layer, optimizer), (plain, _) = made(), made()
    other = torch.optim.AdamW(plain.parameters(), lr=RATE, weight_decay=1e-4)
    schedule = CosineAnnealingLR(other, T_max=N_UPDATES, eta_min=RATE / 100)
    for _ in range(5):
        learn(layer, optimizer)
        other.zero_grad()
        torch.autograd.backward((plain(torch.ones(4, 3)) ** 2).mean())
        other.step()
        schedule.step()
    assert torch.allclose(layer.weight, plain.weight, atol=1e-6)


def test_gradients_are_dropped() -> None:
    """Nothing is filled with zeros to be added to."""
    layer, optimizer = made()
    learn(layer, optimizer)
    optimizer.zero_grad()
    assert layer.weight.grad is None


def test_shared_parameters_are_updated_once() -> None:
    """A layer named twice, as the encoder that two networks share, is one layer."""
    layer, _ = made()
    optimizer = optimizer_factory(5).create([("a", layer), ("b", layer)], lr=RATE, compiled=False)
    assert len(optimizer.optim.param_groups[0]["params"]) == 2


def test_steps_are_torchs_own_to_the_bit() -> None:
    """From the second step on the kernel is called without torch's step around it; nothing else is different."""
    (layer, optimizer), (plain, other) = made(), made()
    for _ in range(5):
        learn(layer, optimizer)
        other.zero_grad()
        torch.autograd.backward((plain(torch.ones(4, 3)) ** 2).mean())
        other.optim.step()
        other.advance()
    assert torch.equal(layer.weight, plain.weight)
    assert_same(optimizer.state_dict(), other.state_dict())


def test_steps_go_on_from_a_loaded_state() -> None:
    """What was looked up of the state before isn't used any more."""
    layer, optimizer = made()
    for _ in range(3):
        learn(layer, optimizer)
    state, weights = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(layer.state_dict())
    learn(layer, optimizer)
    expected = layer.weight.detach().clone()
    learn(layer, optimizer)
    optimizer.load_state_dict(state)
    layer.load_state_dict(weights)
    learn(layer, optimizer)
    assert torch.equal(layer.weight, expected)


def test_hooks_of_a_step_are_called() -> None:
    """Several processes join their gradients in one."""
    layer, optimizer = made()
    learn(layer, optimizer)
    seen: list[float] = []
    optimizer.optim.register_step_pre_hook(lambda *_: seen.append(1.0))
    learn(layer, optimizer)
    assert seen == [1.0]


def test_a_parameter_without_gradient_stays() -> None:
    """Also where it has moved before."""
    layer, optimizer = made()
    for _ in range(2):
        learn(layer, optimizer)
    before = layer.bias.detach().clone()
    optimizer.zero_grad()
    layer.weight.grad = torch.ones_like(layer.weight)
    optimizer.step()
    assert torch.equal(layer.bias, before)


def assert_same(found: Any, expected: Any) -> None:
    """Nested, tensors to the bit."""
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_same(found[name], value)
    elif isinstance(expected, list | tuple):
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected
