"""Gradients of the joined batch: what every rank's optimizers step with."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from torch import distributed, nn

from rl.learning.distributed import Ranks
from rl.learning.updates.fast_update import optimizers_of


def join_gradients(algorithm: Any, ranks: Ranks, *, batch_size: int) -> None:
    """Give all ranks rank 0's weights, and make every optimizer step with the gradient of all ranks' rows.

    A rank's loss is a mean over its rows, so its gradient counts by its share of the rows. That is exactly the joined
    batch's gradient where the loss is a plain mean over rows: all algorithms over a set of actions, and continuous IQL.
    AWAC and TD3+BC normalize a batch by itself: there each rank normalizes by its own rows. d3rlpy's way wraps each
    network, which would have to be done anew for each algorithm.

    Args:
        algorithm: d3rlpy's, built.
        ranks: the processes that train together, as this one sees them.
        batch_size: rows of all ranks together.
    """
    if ranks.is_alone:
        return
    modules = algorithm.impl.modules
    for part in (getattr(modules, field.name) for field in fields(modules)):
        if isinstance(part, nn.Module):
            for tensor in part.state_dict().values():
                distributed.broadcast(tensor, src=0)
    share = ranks.batch_size(batch_size) / batch_size
    for optimizer in optimizers_of(modules).values():
        optimizer.optim.register_step_pre_hook(lambda own, *_: _sum_over_ranks(own, share))


def _sum_over_ranks(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Replace gradients by their sum over ranks, each weighted by its share, in one exchange."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    joined = torch.cat([gradient.reshape(-1) for gradient in gradients]).mul_(share)
    distributed.all_reduce(joined)
    parts = torch.split(joined, [gradient.numel() for gradient in gradients])
    torch._foreach_copy_(gradients, [part.view_as(own) for part, own in zip(parts, gradients, strict=True)])
