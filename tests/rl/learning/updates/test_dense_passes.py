from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from rl.learning.updates.dense_passes import DenseLayers, DensePasses, Gradients

N_ROWS = 9


def made(widths: list[int]) -> tuple[list[nn.Linear], nn.Sequential, torch.Tensor]:
    """Layers, the same layers as a module of torch, and inputs."""
    torch.manual_seed(0)
    layers = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(widths)]
    parts = [part for layer in layers for part in (layer, nn.ReLU())]
    return layers, nn.Sequential(*parts[:-1]), torch.randn(N_ROWS, widths[0])


@pytest.mark.parametrize("widths", [[5, 8, 3], [4, 7, 6, 2], [3, 2, 9, 5, 4]])
def test_passes_are_those_of_torch(widths: list[int]) -> None:
    """Outputs, one output of each row, and gradients of every weight and bias."""
    layers, module, x = made(widths)
    expected, slope = module(x), torch.randn(N_ROWS, widths[-1])
    expected.backward(slope)
    plain, passes, gradients = DenseLayers(layers), DensePasses(widths[1:], N_ROWS), Gradients(layers)
    with torch.no_grad():
        found = passes.outputs(plain, x)
        assert torch.allclose(found, expected, atol=1e-6)
        passes.backward(plain, x, slope, gradients)
        for place, layer in enumerate(layers):
            assert torch.allclose(gradients.weights[place], layer.weight.grad, atol=1e-5)
            assert torch.allclose(gradients.biases[place], layer.bias.grad, atol=1e-5)
        places = torch.arange(N_ROWS) % widths[-1]
        each = passes.output_of_each(plain, x, places)
        assert torch.allclose(each, expected.gather(1, places[:, None]), atol=1e-6)


def test_changed_weights_are_seen() -> None:
    """An optimizer's step, a copy or a loaded state changes parameters in place."""
    layers, module, x = made([5, 8, 3])
    plain, passes = DenseLayers(layers), DensePasses([8, 3], N_ROWS)
    module.load_state_dict({name: weight + 1 for name, weight in module.state_dict().items()})
    with torch.no_grad():
        assert torch.allclose(passes.outputs(plain, x), module(x), atol=1e-5)


def test_gradients_are_shown_whatever_was_there() -> None:
    """Also after somebody dropped them."""
    layers, _, _ = made([5, 8, 3])
    gradients = Gradients(layers)
    for _ in range(2):
        gradients.show()
        assert all(layer.weight.grad is gradients.weights[place] for place, layer in enumerate(layers))
        layers[0].weight.grad = None
