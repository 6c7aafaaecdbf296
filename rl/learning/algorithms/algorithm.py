"""What training needs to know about an algorithm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from conf.specs.candidate import Candidate, ContinuousCandidate
from rl.learning.replay.replay_columns import TrainingData
from rl.policy.network import Network

if TYPE_CHECKING:
    import torch
    from d3rlpy.torch_utility import TorchMiniBatch

# logits: log-probabilities up to a constant; the policy softmaxes them, temperature 1 is the policy as learned.
# values: in units of the training reward's scale; the policy softmaxes them, divided by their typical spread.
# filtered values: values, of which the policy sees only those of actions that an imitator finds likely enough.
Outputs = Literal["logits", "values", "filtered values"]


class Algorithm(Protocol):
    """An algorithm over a set of actions."""

    @property
    def action_space(self) -> Literal["discrete"]:
        """The kind of actions that the algorithm chooses among."""
        ...

    @property
    def outputs(self) -> Outputs:
        """What the network gives for each action, which decides how a stochastic policy is made of it."""
        ...

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built; its `impl` is a `FastUpdate`."""
        ...

    def losses(self, algorithm: Any, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Return the loss terms on a batch, without an update; `loss` is their sum as trained."""
        ...

    def network(self, algorithm: Any) -> Network:
        """Return the network that the policy is made of: outputs before any mask."""
        ...

    def output_scale(self, network: Network, episodes: TrainingData) -> float:
        """Return what the policy divides outputs by, so that temperatures mean the same in any unit."""
        ...


class ContinuousAlgorithm(Protocol):
    """An algorithm over actions between -1 and 1, such as scaled order quantities."""

    @property
    def action_space(self) -> Literal["continuous"]:
        """The kind of actions that the algorithm chooses among."""
        ...

    @property
    def outputs(self) -> Literal["mean", "gaussian"]:
        """What the policy gives: one action, or a distribution to draw it from."""
        ...

    def create(self, candidate: ContinuousCandidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built; its `impl` is a `FastUpdate`."""
        ...

    def losses(self, algorithm: Any, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Return the loss terms on a batch, without an update; `loss` is their sum."""
        ...
