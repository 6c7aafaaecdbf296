"""What an update may not do where it is to become a graph, seen on a processor by the operations it calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rl.learning.algorithms import value_update
from rl.learning.learner import Learner
from rl.learning.updates.optimizers import FusedOptimizer
from tests.rl.learning.learning_batches import DISCRETE, make_batch, make_tiny_learner
from tests.rl.learning.sequence_batches import make_sequence_batch, make_sequence_candidate, make_sequence_learner

# Each makes a GPU wait for its result's value or size, or brings a number from the processor by a copy that waits.
WAITING = {
    "aten::_local_scalar_dense",
    "aten::equal",
    "aten::lift_fresh",
    "aten::masked_select",
    "aten::nonzero",
    "aten::_unique2",
    "aten::repeat_interleave.Tensor",
}


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a shorter way on processors alone takes the common one."""
    monkeypatch.setattr(value_update, "suits", lambda _: False)
    monkeypatch.setattr(FusedOptimizer, "_move", lambda optimizer: optimizer.optim.step())


class Called(TorchDispatchMode):
    """Counts the operations inside, those of the way back too."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()

    def __torch_dispatch__(
        self, operation: Any, _: Any, given: tuple[Any, ...] = (), named: Mapping[str, Any] | None = None
    ) -> Any:
        name = operation._schema.name + (f".{overload}" if (overload := operation._schema.overload_name) else "")
        is_mask = name.startswith("aten::index") and any(
            isinstance(index, torch.Tensor) and index.dtype == torch.bool
            for index in (given[1] if len(given) > 1 and isinstance(given[1], list | tuple) else [])
        )
        self.names[f"{name} by a mask" if is_mask else name] += 1
        return operation(*given, **(named or {}))

    @property
    def waiting(self) -> set[str]:
        return {name for name in self.names if name in WAITING or name.endswith("by a mask")}


def calls_of_update(learner: Learner, batch: Any) -> Called:
    """Operations of the part of an update that a graph repeats, after optimizers have made their state."""
    learner.update(batch)
    called = Called()
    with called:
        learner.algorithm.impl.learn_on_device(batch, 0)
    return called


@pytest.mark.parametrize("algorithm", DISCRETE)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_update_asks_for_no_value(algorithm: str, precision: str) -> None:
    """Nothing that a GPU would wait for lies in the part that is captured."""
    called = calls_of_update(make_tiny_learner(algorithm, precision=precision), make_batch(algorithm))
    assert sum(called.names.values()) > 20
    assert called.waiting == set()


@pytest.mark.parametrize("kind", ["gru", "transformer"])
@pytest.mark.parametrize("n_sampled", [None, 2, 7], ids=["full", "sampled", "all sampled"])
def test_update_of_sequences_asks_for_no_value(kind: str, n_sampled: int | None) -> None:
    """With a conservative term over all actions, over a sample, and over a sample of all."""
    sampling = {} if n_sampled is None else {"sampled_above": 3, "n_sampled_actions": n_sampled}
    learner = make_sequence_learner(make_sequence_candidate(kind, is_output_tied=True, **sampling))
    assert calls_of_update(learner, make_sequence_batch()).waiting == set()


@pytest.mark.parametrize("hazard", ["value", "number", "mask", "size"])
def test_hazards_are_seen(hazard: str) -> None:
    """Each of them would stop or break a capture."""
    x = torch.arange(3.0)
    with Called() as called:
        if hazard == "value":
            float(x.sum())
        elif hazard == "number":
            torch.minimum(x, torch.tensor(torch.inf))
        elif hazard == "mask":
            x[x > 1]
        else:
            torch.nonzero(x)
    assert len(called.waiting) == 1
