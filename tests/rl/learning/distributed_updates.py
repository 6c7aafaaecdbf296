"""Ten updates of every algorithm; run by torchrun each process takes its own rows of the same batches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from d3rlpy.torch_utility import TorchMiniBatch

from rl.learning.distributed import Ranks, joined
from rl.learning.distributed_gradients import join_gradients
from rl.learning.updates.fast_update import optimizers_of
from tests.rl.learning.learning_batches import EVERY, make_batch, make_tiny_learner

# Odd, so that two processes don't hold the same number of rows.
N_ROWS, N_UPDATES = 33, 10

Outcome = dict[str, list[torch.Tensor]]


def updated(algorithm: str, ranks: Ranks, *, part_of: int = 1) -> Outcome:
    """Gradients of the first update as optimizers see them, and all weights after the last.

    Args:
        algorithm: of the registry.
        ranks: of this process.
        part_of: the process takes the rows that it would have among so many, and exchanges nothing.
    """
    own = ranks if part_of == 1 else Ranks(ranks.rank, part_of)
    # Every rank draws other first weights: joining has to make them one.
    learner = make_tiny_learner(algorithm, seed=1 + ranks.rank)
    join_gradients(learner.algorithm, ranks, batch_size=N_ROWS)
    modules = learner.algorithm.impl.modules
    gradients: list[torch.Tensor] = []
    hooks = [
        optimizer.optim.register_step_pre_hook(lambda own, *_: gradients.extend(_gradients_of(own)))
        for optimizer in optimizers_of(modules).values()
    ]
    for update in range(N_UPDATES):
        torch.manual_seed(update)
        learner.update(_rows_of(make_batch(algorithm, seed=update, n=N_ROWS), own))
        for hook in hooks:
            hook.remove()
    weights = [tensor.clone() for part in modules.get_torch_modules().values() for tensor in part.parameters()]
    return {"gradients": gradients, "weights": [weight.detach() for weight in weights]}


def _gradients_of(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    return [parameter.grad.clone() for parameter in parameters if parameter.grad is not None]


def _rows_of(batch: TorchMiniBatch, ranks: Ranks) -> TorchMiniBatch:
    """The rank's share of the rows."""
    sizes = [Ranks(rank, ranks.n_ranks).batch_size(N_ROWS) for rank in range(ranks.n_ranks)]
    start = sum(sizes[: ranks.rank])
    rows = slice(start, start + sizes[ranks.rank])

    def cut(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value[rows]
        return [one[rows] for one in value] if isinstance(value, list) else value

    return TorchMiniBatch(**{name: cut(getattr(batch, name)) for name in batch.__dataclass_fields__})


def main(folder: Path) -> None:
    """The folder holds what each process came to."""
    torch.set_num_threads(1)
    with joined("cpu") as ranks:
        found = {algorithm: updated(algorithm, ranks) for algorithm in EVERY}
        torch.save(found, folder / f"rank-{ranks.rank}-of-{ranks.n_ranks}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
