"""d3rlpy networks that know which actions are available.

An observation is a pair: encoded features `(n, n_features)` and the availability mask `(n, n_actions)`. Masking happens
inside the Q-function, so the target's maximum, the conservative term and the policy all respect it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
    EncoderWithAction,
    VectorEncoder,
    VectorEncoderWithAction,
)
from d3rlpy.models.torch.q_functions.base import QFunctionOutput
from d3rlpy.models.torch.q_functions.utility import compute_reduce
from torch import nn
from torch.distributions import Categorical
from torch.nn.functional import huber_loss, mse_loss

from rl.learning.updates.forward_scope import SharedForward
from rl.policy.token_layout import TokenLayout

# Finite, so that 0 times it is 0 where d3rlpy picks a value with a one-hot vector; exp of it is 0.
UNAVAILABLE = -1e9

Observations = Sequence[torch.Tensor]
Loss = Literal["squared", "huber"]


def mask_unavailable(outputs: torch.Tensor, observations: Observations) -> torch.Tensor:
    """Return the outputs where an action is available, `UNAVAILABLE` (a constant, without gradient) elsewhere."""
    return torch.where(observations[1].bool(), outputs.float(), UNAVAILABLE)


class FeaturesEncoder(SharedForward, Encoder):  # type: ignore[misc]  # d3rlpy ships no types
    """Dense layers over the features of an observation; the mask is read where actions are chosen."""

    def __init__(self, n_features: int, hidden_units: Sequence[int], *, n_columns: int | None = None) -> None:
        """Make the layers with their first weights.

        Args:
            n_features: columns read, the first ones.
            hidden_units: width of each layer.
            n_columns: of an observation, where there are more.
        """
        super().__init__()
        self.n_features, self.n_columns = n_features, n_columns or n_features
        # In place: a linear layer's outputs aren't needed again, and memory traffic is what small layers spend.
        self._layers = VectorEncoder((n_features,), hidden_units=list(hidden_units), activation=nn.ReLU(inplace=True))

    def forward(self, x: Observations) -> torch.Tensor:
        features = x[0] if self.n_columns == self.n_features else x[0][:, : self.n_features]
        encoded: torch.Tensor = self._layers(features)
        return encoded


class FeaturesActionEncoder(SharedForward, EncoderWithAction):  # type: ignore[misc]  # d3rlpy ships no types
    """Dense layers over the features of an observation and a continuous action."""

    def __init__(self, n_features: int, action_size: int, hidden_units: Sequence[int]) -> None:
        super().__init__()
        self._layers = VectorEncoderWithAction(
            (n_features,), action_size, hidden_units=list(hidden_units), activation=nn.ReLU(inplace=True)
        )

    def forward(self, x: Observations, action: torch.Tensor) -> torch.Tensor:
        encoded: torch.Tensor = self._layers(x[0], action)
        return encoded


@dataclass()
class FeaturesEncoderFactory(EncoderFactory):  # type: ignore[misc]  # d3rlpy ships no types
    """Makes `FeaturesEncoder`s.

    Attributes:
        hidden_units: width of each layer.
        layout: where observations have token columns too, which aren't read; `bind_layout` sets it.
    """

    hidden_units: tuple[int, ...] = (128, 128)
    layout: TokenLayout | None = None

    def create(self, observation_shape: Sequence[Sequence[int]]) -> FeaturesEncoder:
        n_columns = observation_shape[0][0]
        n_features = n_columns if self.layout is None else self.layout.n_dense
        return FeaturesEncoder(n_features, self.hidden_units, n_columns=n_columns)

    def create_with_action(
        self,
        observation_shape: Sequence[Sequence[int]],
        action_size: int,
        discrete_action: bool = False,  # noqa: ARG002  (d3rlpy's signature)
    ) -> FeaturesActionEncoder:
        return FeaturesActionEncoder(observation_shape[0][0], action_size, self.hidden_units)

    @staticmethod
    def get_type() -> str:
        return "features"


class MaskedQFunction(SharedForward, DiscreteMeanQFunction):  # type: ignore[misc]  # d3rlpy ships no types
    """Q-function whose values are `UNAVAILABLE` where the mask is 0."""

    def forward(self, x: Observations) -> QFunctionOutput:
        return QFunctionOutput(q_value=mask_unavailable(self._fc(self._encoder(x)), x), quantiles=None, taus=None)


class MaskedQFunctionForwarder(DiscreteMeanQFunctionForwarder):  # type: ignore[misc]  # d3rlpy ships no types
    """TD errors of a `MaskedQFunction`.

    `squared` takes half the square, `huber` what d3rlpy takes: its minimum isn't the mean of rare, large rewards but
    nearer their median; near 0 the two are the same.

    Attributes:
        loss: either.
    """

    def __init__(self, q_func: MaskedQFunction, action_size: int, loss: Loss = "squared") -> None:
        super().__init__(q_func, action_size)
        self.loss = loss

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
        value = self.compute_expected_q(observations).gather(1, actions.view(-1, 1))
        aim = rewards + gamma * target * (1 - terminals)
        error = value_error(value, aim, self.loss)
        reduced: torch.Tensor = compute_reduce(error, reduction)
        return reduced


def value_error(value: torch.Tensor, aim: torch.Tensor, loss: Loss) -> torch.Tensor:
    """Return the loss of each value, `(n, 1)`."""
    if loss == "huber":
        return huber_loss(value, aim, reduction="none")
    return 0.5 * mse_loss(value, aim, reduction="none")


def value_error_slope(value: torch.Tensor, aim: torch.Tensor, loss: Loss) -> torch.Tensor:
    """Return the slope of `value_error` by the value, `(n, 1)`, in new memory."""
    gap = value - aim
    return gap.clamp_(-1, 1) if loss == "huber" else gap


@dataclass()
class MaskedQFunctionFactory(QFunctionFactory):  # type: ignore[misc]  # d3rlpy ships no types
    """Makes `MaskedQFunction`s."""

    loss: Loss = "squared"

    def create_discrete(
        self, encoder: Encoder, hidden_size: int, action_size: int
    ) -> tuple[MaskedQFunction, MaskedQFunctionForwarder]:
        function = MaskedQFunction(encoder, hidden_size, action_size)
        return function, MaskedQFunctionForwarder(function, action_size, self.loss)

    @staticmethod
    def get_type() -> str:
        return "masked_mean"


class MaskedCategoricalPolicy(SharedForward, CategoricalPolicy):  # type: ignore[misc]  # d3rlpy ships no types
    """Policy whose action probabilities are 0 where the mask is 0."""

    def forward(self, x: Observations) -> Categorical:
        # Checking the arguments would make a GPU wait.
        return Categorical(logits=mask_unavailable(self._fc(self._encoder(x)), x), validate_args=False)


def dense_layers(encoder: nn.Module, head: nn.Module) -> list[nn.Linear]:
    """Return all linear layers, input first."""
    return [module for part in (encoder, head) for module in part.modules() if isinstance(module, nn.Linear)]
