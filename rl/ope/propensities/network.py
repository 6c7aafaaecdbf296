"""A cloned network as a model of the behavior policy: the masked imitator that candidates of algorithm `bc` are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray, IntArray
from rl.learning.networks.masked_networks import FeaturesEncoder, MaskedCategoricalPolicy, dense_layers
from rl.ope.propensities.decisions import LoggedChoices, Standard
from rl.policy.action_probabilities import masked_softmax
from rl.policy.network import DenseNetwork

_HIDDEN_UNITS = (64, 64)
_BATCH_SIZE = 512
_LEARNING_RATE = 3e-3
_MAX_EPOCHS = 20
_PATIENCE = 2
_HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class ClonedNetwork:
    """A network's logits, softmaxed over the available actions.

    Attributes:
        standard: scale of the features.
        network: layers.
    """

    standard: Standard
    network: DenseNetwork

    def probabilities(self, features: FeatureArray, mask: BoolArray) -> FloatArray:
        """Return the probabilities, `(n, n_actions)`: rows sum to 1, 0 where the mask is False."""
        return masked_softmax(self.network.forward(self.standard.apply(features)).astype(np.float64), mask, 1.0)


def fit_cloned_network(decisions: LoggedChoices, *, penalty: float, seed: int) -> ClonedNetwork:
    """Return the masked imitator, trained until a tenth of the shoppers, kept out, say that it gets no better.

    Learns any smooth choice rule, masks included, given rows enough. Don't trust it on a few hundred decisions.

    Args:
        decisions: to learn from.
        penalty: weight decay.
        seed: of initial weights, batches and the shoppers kept out.
    """
    standard = Standard.of(decisions.features)
    features = torch.from_numpy(standard.apply(decisions.features))
    mask, action = torch.from_numpy(decisions.mask), torch.from_numpy(decisions.action)
    kept_out = _kept_out(decisions.unit, seed)
    training, held_out = np.flatnonzero(~kept_out), torch.from_numpy(np.flatnonzero(kept_out))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = FeaturesEncoder(features.shape[1], _HIDDEN_UNITS)
        imitator = MaskedCategoricalPolicy(encoder, _HIDDEN_UNITS[-1], decisions.n_actions)
    optimizer = torch.optim.AdamW(imitator.parameters(), lr=_LEARNING_RATE, weight_decay=penalty)

    def loss(rows: torch.Tensor) -> torch.Tensor:
        logits = imitator((features[rows], mask[rows])).logits
        return torch.nn.functional.nll_loss(logits, action[rows])  # Categorical's logits are log-probabilities

    best, best_loss, n_worse = _state(imitator), float("inf"), 0
    generator = np.random.default_rng(seed)
    for _ in range(_MAX_EPOCHS):
        for rows in _batches(generator.permutation(training)):
            optimizer.zero_grad()
            loss(rows).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
        with torch.no_grad():
            found = float(loss(held_out))
        best, best_loss, n_worse = (_state(imitator), found, 0) if found < best_loss else (best, best_loss, n_worse + 1)
        if n_worse == _PATIENCE:
            break
    imitator.load_state_dict(best)
    return ClonedNetwork(standard, _network(imitator))


def _kept_out(unit: IntArray, seed: int) -> BoolArray:
    """Return True for the decisions of about a tenth of the shoppers, or, of one shopper, for some decisions."""
    unit_ids, index = np.unique(unit, return_inverse=True)
    if len(unit_ids) == 1:
        unit_ids, index = np.arange(len(unit)), np.arange(len(unit))
    order = np.random.default_rng(seed).permutation(len(unit_ids))
    n_out = max(1, round(_HELD_OUT_SHARE * len(unit_ids)))
    return np.asarray(order[index] < n_out, dtype=bool)


def _batches(rows: IntArray) -> Iterator[torch.Tensor]:
    for start in range(0, len(rows), _BATCH_SIZE):
        yield torch.from_numpy(rows[start : start + _BATCH_SIZE])


def _state(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def _network(imitator: MaskedCategoricalPolicy) -> DenseNetwork:
    layers = dense_layers(imitator._encoder, imitator._fc)
    return DenseNetwork(
        tuple(layer.weight.detach().numpy().copy() for layer in layers),
        tuple(layer.bias.detach().numpy().copy() for layer in layers),
    )
