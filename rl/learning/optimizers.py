"""The optimizer all candidates are trained with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.optimizers.lr_schedulers import CosineAnnealingLRFactory
from d3rlpy.optimizers.optimizers import OptimizerFactory
from torch import nn


@dataclass()
class FusedAdamWFactory(OptimizerFactory):  # type: ignore[misc]  # d3rlpy ships no types
    """AdamW that updates all parameters in one kernel; d3rlpy's own loops over them."""

    weight_decay: float = 1e-4

    def create_optimizer(self, named_modules: Iterable[tuple[str, nn.Module]], lr: float) -> torch.optim.AdamW:
        """The optimizer of the modules' distinct parameters."""
        parameters = {id(p): p for _, module in named_modules for p in module.parameters()}
        return torch.optim.AdamW(parameters.values(), lr=lr, weight_decay=self.weight_decay, fused=True)

    @staticmethod
    def get_type() -> str:
        return "fused_adam_w"


def optimizer_factory(n_updates: int, learning_rate: float) -> FusedAdamWFactory:
    """Fused AdamW whose rate falls along a cosine to a hundredth, so that the last weights aren't the last batch's."""
    schedule = CosineAnnealingLRFactory(T_max=n_updates, eta_min=learning_rate / 100)
    return FusedAdamWFactory(lr_scheduler_factory=schedule)
