"""Several processes that train one candidate together, each on its shard of the episodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import distributed

from rl.data.logged_episodes import IntArray
from rl.errors import TrainingError

# Far apart, so that no two ranks of two seeds draw alike.
_SEEDS_APART = 1_000_003


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together; all of them call each method that exchanges something.

    Attributes:
        rank: its number, from 0; rank 0 alone writes files and looks at validation episodes.
        n_ranks: how many there are.
        device: its own, for torch.
    """

    rank: int = 0
    n_ranks: int = 1
    device: str = "cpu"

    @property
    def is_alone(self) -> bool:
        return self.n_ranks == 1

    @property
    def is_first(self) -> bool:
        """Whether this process is rank 0, which writes files."""
        return self.rank == 0

    def batch_size(self, whole: int) -> int:
        """Return the number of this rank's rows in a batch that all ranks make up together.

        Raises:
            TrainingError: fewer rows than ranks.
        """
        if whole < self.n_ranks:
            raise TrainingError(
                f"batch_size {whole} for {self.n_ranks} processes; expected at least a row each: start fewer processes"
            )
        return whole // self.n_ranks + (self.rank < whole % self.n_ranks)

    def seed(self, seed: int) -> int:
        """Return this rank's seed: rank 0 draws as a process alone does, every other rank for itself."""
        return seed + _SEEDS_APART * self.rank

    def shard(self, lengths: IntArray) -> IntArray:
        """Return this rank's episodes: neighbors, so many that all ranks hold about the same number of rows.

        A batch takes the same share of every shard; by neighbors, it holds rows of all times alike.

        Args:
            lengths: steps of every episode, `(n_episodes,)`.

        Raises:
            TrainingError: fewer episodes than ranks.
        """
        if len(lengths) < self.n_ranks:
            raise TrainingError(
                f"{len(lengths)} training episodes for {self.n_ranks} processes; expected at least one each: start "
                "fewer processes"
            )
        ends = np.cumsum(lengths)
        wanted = ends[-1] * np.arange(1, self.n_ranks) / self.n_ranks
        # However uneven the lengths, every rank has an episode.
        places = np.arange(1, self.n_ranks)
        cuts = np.searchsorted(ends, wanted, side="left") + 1
        cuts = np.maximum.accumulate(np.maximum(cuts, places) - places) + places
        cuts = np.minimum(cuts, len(lengths) - self.n_ranks + places)
        bounds = [0, *cuts.tolist(), len(lengths)]
        return np.arange(bounds[self.rank], bounds[self.rank + 1], dtype=np.int64)

    def mean(self, values: Sequence[float], *, batch_size: int) -> list[float]:
        """Return means over the rows of a joined batch, given each rank's means over its own rows."""
        if self.is_alone:
            return list(values)
        share = self.batch_size(batch_size) / batch_size
        return self.sums([share * value for value in values])

    def sums(self, values: Sequence[float]) -> list[float]:
        """Return each value summed over the ranks, the same to the last bit on all of them."""
        if self.is_alone:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        summed: list[float] = tensor.tolist()
        return summed

    def decided(self, answer: bool) -> bool:
        """Return rank 0's answer on every rank."""
        return bool(self.sums([float(answer and self.is_first)])[0])

    def given(self, content: Any) -> Any:
        """Return rank 0's object on every rank; tensors in it lie on the CPU."""
        if self.is_alone:
            return content
        found = [content]
        distributed.broadcast_object_list(found, src=0)
        return found[0]

    def gathered(self, content: Any) -> list[Any]:
        """Return each rank's object, by rank."""
        if self.is_alone:
            return [content]
        found: list[Any] = [None] * self.n_ranks
        distributed.all_gather_object(found, content)
        return found


ALONE = Ranks()


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Yield this process's place among those that `torchrun` started; alone where it was started by itself.

    Args:
        device: for torch; on GPUs each process of a machine takes one of its own.
    """
    if not distributed.is_torchelastic_launched():
        yield Ranks(device=device)
        return
    on_gpu = device.startswith("cuda")
    own = f"cuda:{distributed.get_node_local_rank()}" if on_gpu else device
    if on_gpu:
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size(), own)
    finally:
        distributed.destroy_process_group()
