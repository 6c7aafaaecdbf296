"""The device that networks are trained and fitted on."""

from __future__ import annotations

import torch

from rl.errors import TrainingError


def resolve_device(wanted: str) -> str:
    """Return `cuda` where there is one and it isn't ruled out, else `cpu`.

    Raises:
        TrainingError: CUDA was asked for and there is none.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise TrainingError("NIGHTCART_DEVICE is cuda, but torch finds no GPU; set it to auto or cpu")
    return "cuda:0"
