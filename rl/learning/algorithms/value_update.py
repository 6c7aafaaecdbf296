"""The update that all algorithms of the Q-learning family share."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos.qlearning.torch.dqn_impl import DoubleDQNImpl, DQNImpl, DQNLoss
from d3rlpy.dataclass_utils import asdict_without_copy
from d3rlpy.torch_utility import TorchMiniBatch

from rl.learning.updates.dense_q_learning import DenseDoubleQLearning, DenseQLearning, suits
from rl.learning.updates.fast_update import FastUpdate, copy_weights, expected_values, least_values, td_loss, values_of


class FastQLearning(FastUpdate, DQNImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """DQN's update with a target from the target network's own best action, each network asked once.

    Attributes:
        dense_kind: the same gradients without autograd, for networks that it suits. Of this very class: one that
            derives from it learns something else.
    """

    dense_kind: ClassVar[type[DenseQLearning]] = DenseQLearning

    @cached_property
    def dense(self) -> DenseQLearning | None:
        """The update that computes gradients without autograd; None where autograd computes them."""
        return self.dense_kind(self) if "dense_kind" in vars(type(self)) and suits(self) else None

    def learn(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:  # noqa: ARG002  (d3rlpy's)
        terms = self.terms_with_gradients(batch)
        self._modules.optim.apply()
        return terms

    def terms_with_gradients(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Return the loss terms, after setting every parameter's `grad` to the gradient of their `loss`."""
        if self.dense is not None:
            return self.dense.terms(batch)
        terms: dict[str, torch.Tensor] = asdict_without_copy(self.compute_grad(batch))
        return terms

    def follow(self, grad_step: int) -> None:
        super().follow(grad_step)
        if grad_step % self._target_update_interval == 0:
            self.update_target()

    def current_losses(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        return asdict_without_copy(self.compute_loss(batch, self.compute_target(batch)))  # type: ignore[no-any-return]

    def compute_loss(self, batch: TorchMiniBatch, q_tpn: torch.Tensor) -> DQNLoss:
        return DQNLoss(loss=td_loss(self, batch, q_tpn))

    def compute_target(self, batch: TorchMiniBatch) -> torch.Tensor:
        with torch.no_grad():
            functions, following = self._modules.targ_q_funcs, batch.next_observations
            best = expected_values(functions, following).argmax(dim=1, keepdim=True)
            return least_values(functions, following).gather(1, best)

    def inner_predict_best_action(self, x: list[torch.Tensor]) -> torch.Tensor:
        return expected_values(self._modules.q_funcs, x).argmax(dim=1)

    def update_target(self) -> None:
        copy_weights(self._modules.targ_q_funcs, self._modules.q_funcs)


class FastDoubleQLearning(FastQLearning, DoubleDQNImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """Q-learning whose target is the target network's value of the action that the network itself holds best."""

    dense_kind = DenseDoubleQLearning

    def compute_target(self, batch: TorchMiniBatch) -> torch.Tensor:
        with torch.no_grad():
            best = self.inner_predict_best_action(batch.next_observations)
            return values_of(self._modules.targ_q_funcs, batch.next_observations, best)
