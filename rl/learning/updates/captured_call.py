"""A function of tensors as one CUDA graph: its kernels are launched together, without Python in between.

Small networks leave a GPU waiting for Python: an update is some hundred kernels of microseconds each. A graph records
them once, on fixed memory, and replays them; inputs are copied into that memory first. d3rlpy's own graphs hold
gradients alone; here the gather of the batch and the optimizer can be in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch

Terms = dict[str, torch.Tensor]
# So often a function runs as it is before it is recorded: optimizers make their state, libraries choose their kernels.
N_WARMUPS = 3


class Recorder(Protocol):
    """Runs a function and returns a call that repeats it."""

    def warm_up(self, function: Callable[[], Terms]) -> Terms:
        """Run the function before any recording and return its result."""
        ...

    def record(self, function: Callable[[], Terms]) -> Callable[[], Terms]:
        """Return a call that repeats the function on the same memory; recording itself changes nothing."""
        ...


class CudaRecorder:
    """Records a CUDA graph."""

    def __init__(self, device: str) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped

    def warm_up(self, function: Callable[[], Terms]) -> Terms:
        """Run the function on the stream that records later, as torch asks for, and return its result."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            terms = function()
        torch.cuda.current_stream().wait_stream(self._stream)
        return terms

    def record(self, function: Callable[[], Terms]) -> Callable[[], Terms]:
        """Return a call that replays the captured graph; capturing computes nothing, the first replay does."""
        graph = torch.cuda.CUDAGraph()
        # Other threads may fetch batches in the meantime, for which they ask for memory.
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            terms = function()

        def replay() -> Terms:
            graph.replay()
            return terms

        return replay


class CapturedCall:
    """Calls of one function, recorded after a few; inputs of another shape than the recorded are called plainly."""

    def __init__(self, function: Callable[..., Terms], recorder: Recorder) -> None:
        """Wrap the function; the recording takes effect from the call after `N_WARMUPS`.

        Args:
            function: of tensors; the same kernels on every call, and no value looked at.
            recorder: `CudaRecorder` on a GPU.
        """
        self._function = function
        self._recorder = recorder
        self._n_calls = 0
        self._memory: list[torch.Tensor] = []
        self._replay: Callable[[], Terms] | None = None

    def __call__(self, *inputs: torch.Tensor) -> Terms:
        """Return the function's result, which the next call may overwrite."""
        self._n_calls += 1
        if self._n_calls <= N_WARMUPS:
            return self._recorder.warm_up(lambda: self._function(*inputs))
        if self._replay is None:
            self._memory = [torch.empty_like(tensor).copy_(tensor) for tensor in inputs]
            self._replay = self._recorder.record(lambda: self._function(*self._memory))
        if not self._fits(inputs):
            return self._function(*inputs)
        for memory, tensor in zip(self._memory, inputs, strict=True):
            memory.copy_(tensor, non_blocking=True)
        return self._replay()

    @property
    def is_recorded(self) -> bool:
        """Whether calls are repeated from the recording."""
        return self._replay is not None

    def _fits(self, inputs: Sequence[torch.Tensor]) -> bool:
        return len(inputs) == len(self._memory) and all(
            tensor.shape == memory.shape and tensor.dtype == memory.dtype
            for tensor, memory in zip(inputs, self._memory, strict=True)
        )
