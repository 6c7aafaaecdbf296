from __future__ import annotations

import pytest
import torch

from rl.errors import TrainingError
from rl.learning.device import resolve_device


def test_resolve_device_takes_the_gpu_only_where_there_is_one() -> None:
    """The choice `auto` never fails; cuda without a GPU is refused."""
    has_gpu = torch.cuda.is_available()
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") == ("cuda:0" if has_gpu else "cpu")
    if not has_gpu:
        with pytest.raises(TrainingError, match="no GPU"):
            resolve_device("cuda")
