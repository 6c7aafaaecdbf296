"""The update that all algorithms of the Q-learning family share."""

from __future__ import annotations

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos.qlearning.torch.dqn_impl import DoubleDQNImpl, DQNImpl, DQNLoss
from d3rlpy.dataclass_utils import asdict_without_copy
from d3rlpy.torch_utility import TorchMiniBatch

from rl.learning.fast_update import FastUpdate, copy_weights, expected_values, least_values, values_of


class FastQLearning(FastUpdate, DQNImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """DQN's update with a target from the target network's own best action, each network asked once."""

    def inner_update(self, batch: TorchMiniBatch, grad_step: int) -> dict[str, torch.Tensor]:
        terms = asdict_without_copy(self.compute_grad(batch))
        self._modules.optim.step()
        if grad_step % self._target_update_interval == 0:
            self.update_target()
        return terms  # type: ignore[no-any-return]  # d3rlpy ships no types

    def current_losses(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        return asdict_without_copy(self.compute_loss(batch, self.compute_target(batch)))  # type: ignore[no-any-return]

    def compute_loss(self, batch: TorchMiniBatch, q_tpn: torch.Tensor) -> DQNLoss:
        return DQNLoss(loss=self.td_loss(batch, q_tpn))

    def td_loss(self, batch: TorchMiniBatch, q_tpn: torch.Tensor) -> torch.Tensor:
        """Sum over the ensemble of the mean TD error."""
        errors = [
            forwarder.compute_error(
                observations=batch.observations,
                actions=batch.actions.long(),
                rewards=batch.rewards,
                target=q_tpn,
                terminals=batch.terminals,
                gamma=self._gamma**batch.intervals,
            )
            for forwarder in self._q_func_forwarder.forwarders
        ]
        return errors[0] if len(errors) == 1 else torch.stack(errors).sum()

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
