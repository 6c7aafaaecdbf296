"""Fitted Q evaluation with a small neural network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rl.errors import EvaluationError
from rl.logged_episodes import BoolArray, FeatureArray, FloatArray, LoggedEpisodes
from rl.ope.evaluation_probabilities import row_batches
from rl.ope.next_probabilities import NextProbabilities

if TYPE_CHECKING:
    from rl.ope.fqe import FqeSettings


class NeuralQ:
    """A network from standardised features to the values of all actions, in reward units.

    The last layer is kept apart: where one action per row, or their mean under a policy, is all that is needed, the
    values of all actions are never formed.
    """

    def __init__(
        self, body: nn.Module, head: nn.Linear, *, center: FloatArray, spread: FloatArray, scale: float, device: str
    ) -> None:
        self.body = body
        self.head = head
        self._center = center.astype(np.float32)
        self._spread = spread.astype(np.float32)
        self.scale = scale
        self._device = device

    def q(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Action values, `(n, n_actions)`; 0 where the mask is False."""
        values = np.empty(mask.shape)
        for rows in row_batches(*mask.shape):
            with torch.no_grad():
                values[rows] = self.head(self.body(self.inputs(features[rows]))).cpu().numpy()
        return np.where(mask, self.scale * values, 0.0)

    def inputs(self, features: FeatureArray) -> torch.Tensor:
        """Standardised features on the device."""
        return torch.from_numpy((features - self._center) / self._spread).to(self._device)

    def of_actions(self, inputs: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """Value of one action per row in network units, `(n,)`."""
        chosen = nn.functional.embedding(action, self.head.weight)
        value: torch.Tensor = (self.body(inputs) * chosen).sum(dim=1) + self.head.bias[action]
        return value

    def expected_next(self, probabilities: NextProbabilities, n_rows: int) -> torch.Tensor:
        """Value of each row's next observation in network units, 0 where nothing follows, `(n_rows,)`."""
        value = torch.zeros(n_rows, device=self._device)
        with torch.no_grad():
            for rows, features, weight in probabilities.batches():
                probability = torch.from_numpy(weight).to(self._device)
                mean_head = probability @ self.head.weight
                expected = (self.body(self.inputs(features)) * mean_head).sum(dim=1) + probability @ self.head.bias
                value[torch.from_numpy(rows).to(self._device)] = expected
        return value


def fit_neural(
    episodes: LoggedEpisodes,
    reward: FloatArray,
    *,
    factors: FloatArray,
    probabilities: NextProbabilities,
    settings: FqeSettings,
) -> tuple[NeuralQ, tuple[float, ...]]:
    """Fitted network, and the mean squared error per round in squared reward units.

    The target network is the network as it stood at the start of the round, evaluated once over all rows: the same
    targets as evaluating it in every gradient step, at a fraction of the work when there are many actions.

    Args:
        episodes: rows to fit on.
        reward: `(n,)`.
        factors: discount to the next observation, `(n,)`; rows after which nothing follows have no next value.
        probabilities: of the evaluation policy at next observations.
        settings: of the fit.

    Raises:
        EvaluationError: the loss stops being finite.
    """
    model = _initial(episodes, reward, settings)
    inputs = model.inputs(episodes.features)
    action = torch.from_numpy(episodes.action).to(settings.device)
    scaled_reward = _column(reward / model.scale, settings.device)
    discount = _column(factors, settings.device)
    optimizer = torch.optim.Adam(
        [*model.body.parameters(), *model.head.parameters()], lr=settings.learning_rate, fused=True
    )
    per_round = max(1, math.ceil(settings.n_updates / settings.n_rounds))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, settings.n_rounds * per_round, eta_min=settings.learning_rate / 100
    )
    order = _row_order(episodes.n_transitions, settings)
    curve = []
    for fit_round in range(settings.n_rounds):
        # The first round starts from value 0, as the linear fit does: an untrained network's guesses only add noise.
        following = model.expected_next(probabilities, len(reward)) if fit_round else torch.zeros_like(discount)
        target = scaled_reward + discount * following
        losses = []
        for _ in range(per_round):
            rows = next(order)
            loss = nn.functional.mse_loss(model.of_actions(inputs[rows], action[rows]), target[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        curve.append(float(torch.stack(losses).mean()) * model.scale**2)
        if not math.isfinite(curve[-1]):
            raise EvaluationError(f"neural fitted Q evaluation diverged in round {fit_round}: lower the learning rate")
    return model, tuple(curve)


def _initial(episodes: LoggedEpisodes, reward: FloatArray, settings: FqeSettings) -> NeuralQ:
    features = episodes.features.astype(np.float64)
    spread = features.std(axis=0)
    body, head = _network(features.shape[1], episodes.n_actions, settings)
    return NeuralQ(
        body,
        head,
        center=features.mean(axis=0),
        spread=np.where(spread > 0, spread, 1.0),
        scale=float(reward.std()) or 1.0,  # all rewards equal: any scale serves
        device=settings.device,
    )


def _network(n_inputs: int, n_outputs: int, settings: FqeSettings) -> tuple[nn.Sequential, nn.Linear]:
    """Body and head whose initial weights depend on the seed alone, not on torch's global state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        layers: list[nn.Module] = []
        for width in settings.hidden:
            layers += [nn.Linear(n_inputs, width), nn.ReLU()]
            n_inputs = width
        head = nn.Linear(n_inputs, n_outputs)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    return nn.Sequential(*layers).to(settings.device), head.to(settings.device)


def _row_order(n_rows: int, settings: FqeSettings) -> Iterator[torch.Tensor]:
    """Batches of rows for ever, each row once per pass."""
    generator = np.random.default_rng(settings.seed)
    while True:
        shuffled: npt.NDArray[np.int64] = generator.permutation(n_rows)
        for start in range(0, n_rows, settings.batch_size):
            batch = shuffled[start : start + settings.batch_size]
            if len(batch) == settings.batch_size or start == 0:  # a small last batch would be a noisy step
                yield torch.from_numpy(batch).to(settings.device)


def _column(values: FloatArray, device: str) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)
