"""Running out of memory as one clear error that says what helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rl.errors import TrainingError

# How torch says so where it raises no class of its own: its allocator on a processor, and CUDA outside of torch's.
_TEXTS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUDA error: out of memory",
)

# What helps where the data itself is too large.
FROM_FILES = (
    "set NIGHTCART_TRAINING_MEMORY to less than the machine has free, such as 4GiB, and a training split that takes "
    "more is learned from files"
)


@contextmanager
def clear_memory_errors(who: str, doing: str, *, remedy: str) -> Iterator[None]:
    """Turn running out of memory inside the block into a `TrainingError`; let other errors pass.

    Args:
        who: such as `candidate bc-1`.
        doing: goes on after `out of memory`.
        remedy: what helps.

    Raises:
        TrainingError: out of memory.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(f"{who}: out of memory {doing}; {remedy}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether Python, NumPy or torch got no memory; an illegal access of memory is something else."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _TEXTS)


def remedy_in_updates(batch_size: int) -> str:
    """Return what helps where networks learn from batches of that size."""
    if batch_size > 1:
        return f"try batch_size {batch_size // 2}"
    return f"make hidden_units narrower, or {FROM_FILES}"
