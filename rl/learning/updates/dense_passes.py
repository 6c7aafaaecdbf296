"""Passes through dense layers without autograd, in memory that is used again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class DenseLayers:
    """Linear layers, input first, with a rectifier between two.

    Their parameters are changed in place, never replaced, so that what is seen of them here stays true.

    Attributes:
        biases: of each layer, `(n_out,)`.
        weights: `(n_out, n_in)`.
        transposed: the same memory, `(n_in, n_out)`.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        self.biases = [layer.bias.detach() for layer in layers]
        self.weights = [layer.weight.detach() for layer in layers]
        self.transposed = [weight.t() for weight in self.weights]

    @property
    def widths(self) -> list[int]:
        """Number of outputs of each layer."""
        return [len(bias) for bias in self.biases]


class Gradients:
    """Memory for the gradients of linear layers, which their parameters' `grad` shows.

    Attributes:
        biases: of each layer, `(n_out,)`.
        weights: `(n_out, n_in)`.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        self.biases = [torch.empty_like(layer.bias) for layer in layers]
        self.weights = [torch.empty_like(layer.weight) for layer in layers]
        parameters = [*(layer.bias for layer in layers), *(layer.weight for layer in layers)]
        self._shown = list(zip(parameters, [*self.biases, *self.weights], strict=True))

    def show(self) -> None:
        """Set the parameters' `grad` to this memory, since others may have put theirs there."""
        for parameter, gradient in self._shown:
            if parameter.grad is not gradient:
                parameter.grad = gradient


class DensePasses:
    """Memory for a pass of so many rows through two or more layers of these widths, forward and back.

    What a pass gives lies in that memory too, until the next. Fetched anew, memory of a few megabytes costs more than
    the arithmetic on it: the system clears it page by page.
    """

    def __init__(self, widths: Sequence[int], n_rows: int) -> None:
        self._outputs = [torch.empty(n_rows, width) for width in widths]
        self._slopes = [torch.empty(n_rows, width) for width in widths[:-1]]

    def outputs(self, layers: DenseLayers, x: torch.Tensor) -> torch.Tensor:
        """Pass the rows forward and return the last layer's outputs, `(n_rows, n_out)`."""
        hidden = self._hidden(layers, x)
        return torch.addmm(layers.biases[-1], hidden, layers.transposed[-1], out=self._outputs[-1])

    def output_of_each(self, layers: DenseLayers, x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Pass the rows forward and return one of the outputs of each, without the others, `(n_rows, 1)`.

        Args:
            layers: to pass through.
            x: `(n_rows, n_in)`.
            places: of the outputs, `(n_rows,)`.
        """
        hidden = self._hidden(layers, x)
        products = torch.index_select(layers.weights[-1], 0, places, out=self._slopes[-1]).mul_(hidden)
        return products.sum(1, keepdim=True).add_(layers.biases[-1].index_select(0, places)[:, None])

    def backward(self, layers: DenseLayers, x: torch.Tensor, slope: torch.Tensor, gradients: Gradients) -> None:
        """Write the gradients of the loss whose slope by the outputs of the last pass is given.

        Args:
            layers: those that the last pass went through.
            x: inputs of the last pass, `(n_rows, n_in)`.
            slope: `(n_rows, n_out)`.
            gradients: written over.
        """
        for place in reversed(range(len(layers.weights))):
            read = self._outputs[place - 1] if place else x
            torch.mm(slope.t(), read, out=gradients.weights[place])
            torch.sum(slope, 0, out=gradients.biases[place])
            if place:
                slope = torch.mm(slope, layers.weights[place], out=self._slopes[place - 1])
                # The rectifier's: nothing where it gave 0.
                torch.ops.aten.threshold_backward.grad_input(slope, read, 0, grad_input=slope)

    def _hidden(self, layers: DenseLayers, x: torch.Tensor) -> torch.Tensor:
        """Pass the rows forward and return what the last layer reads, `(n_rows, n_hidden)`."""
        for bias, weight, room in zip(layers.biases[:-1], layers.transposed[:-1], self._outputs[:-1], strict=True):
            x = torch.addmm(bias, x, weight, out=room).clamp_min_(0)
        return x
