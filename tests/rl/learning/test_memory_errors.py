from __future__ import annotations

import numpy as np
import pytest
import torch

from rl.errors import TrainingError
from rl.learning.memory_errors import clear_memory_errors, is_out_of_memory, remedy_in_updates


def more_than_any_machine_has(kind: str) -> None:
    if kind == "numpy":
        np.empty(2**60, dtype=np.uint8)
    elif kind == "torch":
        torch.empty(2**60, dtype=torch.uint8)
    else:
        raise {"cuda": torch.OutOfMemoryError("CUDA out of memory."), "python": MemoryError()}[kind]


@pytest.mark.parametrize("kind", ["numpy", "torch", "cuda", "python"])
def test_every_kind_is_one_error_that_says_what_helps(kind: str) -> None:
    """Whoever got no memory; with the original as its cause."""
    with (
        pytest.raises(TrainingError, match="bc-1: out of memory in the update; try less") as caught,
        clear_memory_errors("bc-1", "in the update", remedy="try less"),
    ):
        more_than_any_machine_has(kind)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("memory format option is only supported by strided tensors"),
        ValueError("out of memory"),
    ],
)
def test_errors_that_only_speak_of_memory_pass(error: Exception) -> None:
    """A smaller batch would only hide them."""
    assert not is_out_of_memory(error)
    with pytest.raises(type(error)) as caught, clear_memory_errors("bc-1", "in the update", remedy="try less"):
        raise error
    assert caught.value is error


def test_a_batch_of_one_is_not_made_smaller() -> None:
    """Half of it, where there is a half; else what else takes memory."""
    assert remedy_in_updates(256) == "try batch_size 128"
    assert "batch_size" not in remedy_in_updates(1)
    assert "NIGHTCART_TRAINING_MEMORY" in remedy_in_updates(1)
