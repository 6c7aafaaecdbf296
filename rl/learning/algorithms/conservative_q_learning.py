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

from conf.specs.candidate import Candidate
from conf.specs.encoder import EncoderSpec
from rl.learning.algorithms.common_settings import built, value_settings
from rl.learning.algorithms.discrete_outputs import ValueOutputs
from rl.learning.algorithms.value_update import FastDoubleQLearning
from rl.learning.networks.masked_networks import Observations
from rl.learning.sampled_conservatism import draw_actions, sampled_log_sum_exp
from rl.learning.updates.dense_q_learning import DenseConservativeQLearning
from rl.learning.updates.fast_update import TakenOver, expected_values, take_over, td_loss


class ConservativeQLearning(ValueOutputs):
    """The entry of d3rlpy's DiscreteCQL in the registry."""

    def create(self, candidate: Candidate, *, gamma: float, device: str) -> Any:
        """Return d3rlpy's algorithm, not yet built."""
        config = DiscreteCQLConfig(
            **value_settings(candidate, gamma),
            target_update_interval=candidate.target_update_interval,
            alpha=candidate.conservative_weight,
        )
        if candidate.encoder.sampled_above is None:
            return built(MaskedCQL, config, candidate, device)
        algorithm = built(SampledCQL, config, candidate, device)
        algorithm.encoder = candidate.encoder
        return algorithm


class FastConservativeQLearning(FastDoubleQLearning, DiscreteCQLImpl):  # type: ignore[misc]  # d3rlpy ships no types
    """Double Q-learning and the conservative term, over available actions."""

    dense_kind = DenseConservativeQLearning

    def compute_loss(self, batch: TorchMiniBatch, q_tpn: torch.Tensor) -> DiscreteCQLLoss:
        error = td_loss(self, batch, q_tpn)
        conservative = self.conservative_term(batch.observations, batch.actions)
        loss = error + self._alpha * conservative
        return DiscreteCQLLoss(loss=loss, td_loss=error, conservative_loss=conservative)

    def conservative_term(self, observations: Observations, actions: torch.Tensor) -> torch.Tensor:
        """Return how far a soft maximum over available actions lies above the logged action's value, on average."""
        values = expected_values(self._modules.q_funcs, observations)
        logged = values.gather(1, actions.view(-1, 1).long())
        return (values.logsumexp(dim=1, keepdim=True) - logged).mean()


class MaskedCQL(TakenOver, DiscreteCQL):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's DiscreteCQL with our update."""

    impl_kind = FastConservativeQLearning


class SampledConservative(FastConservativeQLearning):
    """Values of the logged and of sampled actions alone; only the best next action looks at all, without gradient.

    Attributes:
        n_sampled: actions drawn for a batch.
    """

    n_sampled: int = 1

    def compute_target(self, batch: TorchMiniBatch) -> torch.Tensor:
        with torch.no_grad():
            best = self.inner_predict_best_action(batch.next_observations)
            values = [function.value_of_each(batch.next_observations, best) for function in self._modules.targ_q_funcs]
            return torch.stack(values).amin(dim=0)

    def inner_predict_best_action(self, x: Observations) -> torch.Tensor:
        best: torch.Tensor = self._modules.q_funcs[0].best_action(x)
        return best

    def conservative_term(self, observations: Observations, actions: torch.Tensor) -> torch.Tensor:
        mask, function = observations[1], self._modules.q_funcs[0]
        # Looking at losses draws the same actions every time, and none of what training will draw.
        generator = None if torch.is_grad_enabled() else torch.Generator(mask.device).manual_seed(0)
        sample = draw_actions(mask, self.n_sampled, generator)
        logged = function.value_of_each(observations, actions)
        values = function.values_of(observations, sample.actions)
        soft_maximum = sampled_log_sum_exp(logged, values, sample, action=actions, mask=mask)
        term: torch.Tensor = (soft_maximum - logged).mean()
        return term


class SampledCQL(TakenOver, DiscreteCQL):  # type: ignore[misc]  # d3rlpy ships no types
    """d3rlpy's DiscreteCQL whose conservative term is sampled above the encoder's `sampled_above` actions.

    Attributes:
        encoder: what networks begin with; its output is tied.
    """

    impl_kind = FastConservativeQLearning
    encoder: EncoderSpec

    def inner_create_impl(self, observation_shape: Any, action_size: int) -> None:
        super().inner_create_impl(observation_shape, action_size)
        if self.encoder.sampled_above is not None and action_size > self.encoder.sampled_above:
            take_over(self._impl, SampledConservative)
            self._impl.n_sampled = self.encoder.n_sampled_actions
