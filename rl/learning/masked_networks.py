"""d3rlpy networks that know which actions are available.

An observation is a pair: encoded features `(n, n_features)` and the availability mask `(n, n_actions)`. Masking happens
inside the Q-function, so the target's maximum, the conservative term and the policy all respect it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.models.encoders import EncoderFactory
from d3rlpy.models.q_functions import QFunctionFactory
from d3rlpy.models.torch import (
    CategoricalPolicy,
    DiscreteMeanQFunction,
    DiscreteMeanQFunctionForwarder,
    Encoder,
    VectorEncoder,
)
from d3rlpy.models.torch.q_functions.base import QFunctionOutput
from d3rlpy.models.torch.q_functions.utility import compute_reduce
from torch import nn
from torch.distributions import Categorical
from torch.nn.functional import mse_loss

# Finite, so that 0 times it is 0 where d3rlpy picks a value with a one-hot vector; exp of it is 0.
UNAVAILABLE = -1e9

Observations = Sequence[torch.Tensor]


def mask_unavailable(outputs: torch.Tensor, observations: Observations) -> torch.Tensor:
    """The outputs where an action is available, `UNAVAILABLE` (a constant, without gradient) elsewhere."""
    return torch.where(observations[1].bool(), outputs, UNAVAILABLE)


class FeaturesEncoder(Encoder):  # type: ignore[misc]  # d3rlpy ships no types
    """Dense layers over the features of an observation; the mask is read where actions are chosen."""

    def __init__(self, n_features: int, hidden_units: Sequence[int]) -> None:
        super().__init__()
        self._layers = VectorEncoder((n_features,), hidden_units=list(hidden_units))

    def forward(self, x: Observations) -> torch.Tensor:
        encoded: torch.Tensor = self._layers(x[0])
        return encoded


@dataclass()
class FeaturesEncoderFactory(EncoderFactory):  # type: ignore[misc]  # d3rlpy ships no types
    """Makes `FeaturesEncoder`s."""

    hidden_units: tuple[int, ...] = (128, 128)

    def create(self, observation_shape: Sequence[Sequence[int]]) -> FeaturesEncoder:
        return FeaturesEncoder(observation_shape[0][0], self.hidden_units)

    @staticmethod
    def get_type() -> str:
        return "features"


class MaskedQFunction(DiscreteMeanQFunction):  # type: ignore[misc]  # d3rlpy ships no types
    """Action values, `UNAVAILABLE` where the mask is 0."""

    def forward(self, x: Observations) -> QFunctionOutput:
        return QFunctionOutput(q_value=mask_unavailable(self._fc(self._encoder(x)), x), quantiles=None, taus=None)


class MaskedQFunctionForwarder(DiscreteMeanQFunctionForwarder):  # type: ignore[misc]  # d3rlpy ships no types
    """Half squared TD errors of a `MaskedQFunction`.

    d3rlpy's own takes a Huber loss, whose minimum isn't the mean of rare, large rewards but nearer their median; near 0
    the two are the same.

    The TD error and the conservative term look at the same observations: the first leaves its values, with their graph,
    for the second, which takes them if the weights are still the same. That saves a fourth of an update.
    """

    def __init__(self, q_func: MaskedQFunction, action_size: int) -> None:
        super().__init__(q_func, action_size)
        self._left: tuple[Observations, int, torch.Tensor] | None = None

    def compute_expected_q(self, x: Observations) -> torch.Tensor:
        left, self._left = self._left, None
        if left is not None and left[0] is x and left[1] == self._weights_version and torch.is_grad_enabled():
            return left[2]
        values: torch.Tensor = self._q_func(x).q_value
        return values

    def compute_error(
        self,
        observations: Observations,
        actions: torch.Tensor,
        rewards: torch.Tensor,
        target: torch.Tensor,
        terminals: torch.Tensor,
        gamma: float | torch.Tensor = 0.99,
        reduction: str = "mean",
    ) -> torch.Tensor:
        values = self.compute_expected_q(observations)
        if torch.is_grad_enabled():
            self._left = (observations, self._weights_version, values)
        value = values.gather(1, actions.view(-1, 1))
        error = mse_loss(value, rewards + gamma * target * (1 - terminals), reduction="none")
        reduced: torch.Tensor = compute_reduce(0.5 * error, reduction)
        return reduced

    @property
    def _weights_version(self) -> int:
        return int(self._q_func._fc.weight._version)


@dataclass()
class MaskedQFunctionFactory(QFunctionFactory):  # type: ignore[misc]  # d3rlpy ships no types
    """Makes `MaskedQFunction`s."""

    def create_discrete(
        self, encoder: Encoder, hidden_size: int, action_size: int
    ) -> tuple[MaskedQFunction, MaskedQFunctionForwarder]:
        function = MaskedQFunction(encoder, hidden_size, action_size)
        return function, MaskedQFunctionForwarder(function, action_size)

    @staticmethod
    def get_type() -> str:
        return "masked_mean"


class MaskedCategoricalPolicy(CategoricalPolicy):  # type: ignore[misc]  # d3rlpy ships no types
    """Action probabilities, 0 where the mask is 0."""

    def forward(self, x: Observations) -> Categorical:
        return Categorical(logits=mask_unavailable(self._fc(self._encoder(x)), x))


def dense_layers(encoder: nn.Module, head: nn.Module) -> list[nn.Linear]:
    """All linear layers, input first."""
    return [module for part in (encoder, head) for module in part.modules() if isinstance(module, nn.Linear)]
