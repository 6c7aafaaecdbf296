"""What networks answered during one update, so that none is asked the same thing twice.

d3rlpy's losses ask a network about the same tensors several times in an update: the TD error and the conservative term
about the observations, the target network about its maximum and again about its value. Inside a `forward_scope` a
`SharedForward` module answers the second time from memory, with the graph of the first. An optimizer's step forgets
the networks whose weights it changed, so nothing stale is ever given.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributions import Distribution


class ForwardScope:
    """Answers by module, inputs (by identity) and whether a graph was recorded."""

    def __init__(self, dtype: torch.dtype | None) -> None:
        # Module, inputs, outputs, and how many steps of optimizers had been done before.
        self._answers: dict[Any, tuple[Any, tuple[Any, ...], Any, int]] = {}
        self._changed: list[frozenset[int]] = []
        self._dtype = dtype
        self._depth = 0

    def answer(self, module: Any, forward: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
        """Return the module's outputs for the inputs, from memory where it was asked before."""
        asked = (id(module), *(id(tensor) for tensor in _tensors(inputs)))
        with_graph = torch.is_grad_enabled()
        if (found := self._still_true((asked, with_graph))) is not None:
            return found
        if not with_graph and (found := _detached(self._still_true((asked, True)))) is not None:
            return found
        outputs = self._compute(forward, inputs)
        # The inputs are kept too: an identity says nothing about a tensor that is gone.
        self._answers[asked, with_graph] = (module, inputs, outputs, len(self._changed))
        return outputs

    def forget(self, parameters: Iterable[torch.Tensor]) -> None:
        """Forget the answers of modules with any of the parameters."""
        self._changed.append(frozenset(id(parameter) for parameter in parameters))

    def _still_true(self, key: Any) -> Any:
        """Return the earlier answer; None where there was none, or a step has changed a weight of the module since."""
        if (found := self._answers.get(key)) is None:
            return None
        module, _, outputs, n_steps = found
        changed = frozenset[int]().union(*self._changed[n_steps:])
        if changed and any(id(parameter) in changed for parameter in module.parameters()):
            return None
        return outputs

    def _compute(self, forward: Callable[..., Any], inputs: tuple[Any, ...]) -> Any:
        if self._dtype is None or self._depth:
            return forward(*inputs)
        self._depth += 1
        try:
            with torch.autocast(next(_tensors(inputs)).device.type, dtype=self._dtype):
                return _mapped(forward(*inputs), torch.Tensor.float)
        finally:
            self._depth -= 1


class SharedForward:
    """Base of a `torch.nn.Module` that answers from memory inside a `forward_scope`; put it first among the bases."""

    def __call__(self, *inputs: Any) -> Any:
        scope = current_scope()
        forward = super().__call__  # type: ignore[misc]  # the module's
        return forward(*inputs) if scope is None else scope.answer(self, forward, inputs)


class _Open(threading.local):
    """The scope that is open in a thread."""

    scope: ForwardScope | None = None


_open = _Open()


def current_scope() -> ForwardScope | None:
    """Return the innermost scope that is open in this thread; None outside of any."""
    return _open.scope


@contextmanager
def forward_scope(dtype: torch.dtype | None = None) -> Iterator[ForwardScope]:
    """Open a scope in which modules' answers are shared until it closes.

    Args:
        dtype: that layers compute in, by autocast; outputs are `float32` again. None leaves them alone.
    """
    scope = ForwardScope(dtype)
    # A distribution checks its arguments by looking at them, for which a GPU's queue has to be waited for.
    validates = Distribution._validate_args
    Distribution.set_default_validate_args(False)
    before, _open.scope = _open.scope, scope
    try:
        yield scope
    finally:
        _open.scope = before
        Distribution.set_default_validate_args(validates)


def _tensors(inputs: Any) -> Iterator[torch.Tensor]:
    for one in inputs:
        if isinstance(one, torch.Tensor):
            yield one
        else:
            yield from _tensors(one)


def _detached(outputs: Any) -> Any:
    """Return the outputs without their graph; None where it isn't known how to take it off."""
    return _mapped(outputs, torch.Tensor.detach) if isinstance(outputs, torch.Tensor | tuple) else None


def _mapped(outputs: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    if isinstance(outputs, torch.Tensor):
        return change(outputs)
    if isinstance(outputs, tuple):  # d3rlpy's named tuples
        return type(outputs)(*(_mapped(one, change) for one in outputs))
    return outputs
