from __future__ import annotations

import torch

from rl.learning.updates.captured_call import N_WARMUPS, CapturedCall, Terms
from tests.rl.learning.plain_recorder import PlainRecorder


def made() -> tuple[CapturedCall, list[int]]:
    """Doubles its input; notes where the input lay."""
    places: list[int] = []

    def double(x: torch.Tensor) -> Terms:
        places.append(x.data_ptr())
        return {"doubled": 2 * x}

    return CapturedCall(double, PlainRecorder()), places


def test_calls_are_recorded_after_the_warm_ups() -> None:
    """From then on the function sees one memory, whatever tensors are given."""
    call, places = made()
    inputs = [torch.full((3,), float(i)) for i in range(N_WARMUPS + 4)]
    found = [call(tensor)["doubled"].tolist() for tensor in inputs]
    assert found == [[2.0 * i] * 3 for i in range(len(inputs))]
    assert call.is_recorded
    assert len(set(places[N_WARMUPS:])) == 1
    assert places[-1] not in {tensor.data_ptr() for tensor in inputs}


def test_inputs_of_another_shape_or_type_are_called_plainly() -> None:
    """A last, smaller batch isn't forced into the recorded memory."""
    call, places = made()
    for _ in range(N_WARMUPS + 1):
        call(torch.ones(3))
    for other in (torch.ones(2), torch.ones(3, dtype=torch.float64)):
        assert torch.equal(call(other)["doubled"], 2 * other)
        assert places[-1] == other.data_ptr()
    assert call(torch.ones(3))["doubled"].tolist() == [2.0] * 3


def test_recorded_memory_is_a_copy() -> None:
    """Inputs that were recorded with are left alone by later calls."""
    call, _ = made()
    first = torch.ones(3)
    for _ in range(N_WARMUPS + 1):
        call(first)
    call(torch.zeros(3))
    assert first.tolist() == [1.0] * 3
