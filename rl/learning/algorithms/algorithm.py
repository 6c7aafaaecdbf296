"""What training needs to know of an algorithm."""

from __future__ import annotations

from typing import Any, Protocol

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.torch_utility import TorchMiniBatch

from conf.scenario import Candidate
from rl.logged_episodes import LoggedEpisodes
from rl.policy.network import DenseNetwork


class Algorithm(Protocol):
    """What training needs to know of an algorithm."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """d3rlpy's algorithm, not yet built."""
        ...

    def losses(self, algorithm: Any, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Loss terms on a batch, without an update."""
        ...

    def network(self, algorithm: Any) -> DenseNetwork:
        """The network that the policy is made of: outputs before any mask."""
        ...

    def output_scale(self, network: DenseNetwork, episodes: LoggedEpisodes) -> float:
        """What the policy divides outputs by, so that temperatures mean the same in any unit."""
        ...
