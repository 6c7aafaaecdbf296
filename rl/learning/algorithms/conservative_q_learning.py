"""Conservative Q-learning: d3rlpy's DiscreteCQL on masked Q-functions."""

from __future__ import annotations

from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.algos import DiscreteCQLConfig
from d3rlpy.algos.qlearning.cql import DiscreteCQL
from d3rlpy.algos.qlearning.torch.cql_impl import DiscreteCQLImpl, DiscreteCQLLoss
from d3rlpy.torch_utility import TorchMiniBatch

from conf.candidate import Candidate
from rl.learning.algorithms.common_settings import built, value_settings
from rl.learning.algorithms.discrete_outputs import ValueOutputs
from rl.learning.algorithms.value_update import FastDoubleQLearning
from rl.learning.fast_update import TakenOver, expected_values, td_loss
from rl.learning.masked_networks import Observations


class ConservativeQLearning(ValueOutputs):
    """d3rlpy's DiscreteCQL."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """d3rlpy's algorithm, not yet built."""
        config = DiscreteCQLConfig(
            **value_settings(candidate, gamma),
            target_update_interval=candidate.target_update_interval,
            alpha=candidate.conservative_weight,
        )
        return built(MaskedCQL, config, candidate, device)


class FastConservativeQLearning(FastDoubleQLearning, DiscreteCQLImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """Double Q-learning and the conservative term, over available actions."""

    def compute_loss(self, batch: TorchMiniBatch, q_tpn: torch.Tensor) -> DiscreteCQLLoss:
        error = td_loss(self, batch, q_tpn)
        conservative = self.conservative_term(batch.observations, batch.actions)
        loss = error + self._alpha * conservative
        return DiscreteCQLLoss(loss=loss, td_loss=error, conservative_loss=conservative)

    def conservative_term(self, observations: Observations, actions: torch.Tensor) -> torch.Tensor:
        """How far a soft maximum over available actions lies above the logged action's value, on average."""
        values = expected_values(self._modules.q_funcs, observations)
        logged = values.gather(1, actions.view(-1, 1).long())
        return (values.logsumexp(dim=1, keepdim=True) - logged).mean()


class MaskedCQL(TakenOver, DiscreteCQL):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's DiscreteCQL with our update."""

    impl_kind = FastConservativeQLearning
