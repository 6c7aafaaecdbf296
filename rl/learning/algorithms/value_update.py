"""The update that all algorithms of the Q-learning family share."""

from __future__ import annotations

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos.qlearning.torch.dqn_impl import DoubleDQNImpl, DQNImpl, DQNLoss
from d3rlpy.dataclass_utils import asdict_without_copy
from d3rlpy.torch_utility import TorchMiniBatch

from rl.learning.fast_update import FastUpdate, copy_weights, expected_values, least_values, td_loss, values_of


class FastQLearning(FastUpdate, DQNImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """DQN's update with a target from the target network's own best action, each network asked once."""

    def learn(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:  # noqa: ARG002  (d3rlpy's)
        terms: dict[str, torch.Tensor] = asdict_without_copy(self.compute_grad(batch))
        self._modules.optim.apply()
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
    """The same, with the target network's value of the action that the network itself holds best."""

    def compute_target(self, batch: TorchMiniBatch) -> torch.Tensor:
        with torch.no_grad():
            best = self.inner_predict_best_action(batch.next_observations)
            return values_of(self._modules.targ_q_funcs, batch.next_observations, best)
