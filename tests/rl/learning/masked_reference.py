"""Losses of the discrete algorithms, a row at a time over the actions it has: what is masked doesn't exist here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from d3rlpy.torch_utility import TorchMiniBatch
from torch import nn
from torch.nn.functional import huber_loss

from rl.learning.learner import Learner
from rl.learning.networks.masked_networks import dense_layers

NETWORKS = ("q_funcs", "targ_q_funcs", "policy", "imitator", "value_func")
Terms = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Row:
    """A transition; `here` and `there` are the indices of the available actions."""

    features: torch.Tensor
    following: torch.Tensor
    here: torch.Tensor
    there: torch.Tensor
    action: int
    reward: torch.Tensor
    goes_on: torch.Tensor


def rows_of(batch: TorchMiniBatch) -> Iterator[Row]:
    for i in range(len(batch.actions)):
        here, there = (
            torch.tensor([a for a, is_there in enumerate(mask[i].tolist()) if is_there])
            for mask in (batch.observations[1], batch.next_observations[1])
        )
        yield Row(
            batch.observations[0][i],
            batch.next_observations[0][i],
            here,
            there,
            int(batch.actions[i]),
            batch.rewards[i, 0],
            1 - batch.terminals[i, 0],
        )


class MaskedReference:
    """The papers' equations on plain layers, with the weights of a learner."""

    def __init__(self, algorithm: str, learner: Learner, loss: str) -> None:
        self._algorithm, self._loss, self._config = algorithm, loss, learner.algorithm.config
        modules = learner.algorithm.impl.modules
        copies: dict[int, nn.Linear] = {}
        self.networks = {name: _plain(getattr(modules, name), copies) for name in NETWORKS if hasattr(modules, name)}
        self._temperature = modules.log_temp._parameter.detach().exp() if hasattr(modules, "log_temp") else None

    def terms(self, batch: TorchMiniBatch) -> Terms:
        """Means over rows; `loss` is what is trained."""
        of_row = {
            "bc": self._imitation,
            "discrete_bcq": self._constrained,
            "discrete_sac": self._soft,
            "discrete_iql": self._implicit,
        }.get(self._algorithm, self._values)
        found = [of_row(row) for row in rows_of(batch)]
        return {name: torch.stack([terms[name] for terms in found]).mean() for name in found[0]}

    def _values(self, row: Row) -> Terms:
        """Double Q-learning; NFQ, whose target network chooses for itself; the conservative term."""
        chooser = "targ_q_funcs" if self._algorithm == "nfq" else "q_funcs"
        td = self._td(row, self._value_of_best(row, row.there, chooser))
        if self._algorithm != "discrete_cql":
            return {"loss": td}
        values = self._mean("q_funcs", row.features)
        conservative = values[row.here].exp().sum().log() - values[row.action]
        return {"loss": td + self._config.alpha * conservative, "td_loss": td, "conservative_loss": conservative}

    def _constrained(self, row: Row) -> Terms:
        with torch.no_grad():
            share = self._likelihoods("imitator", row.following, row.there).exp()
        likely = row.there[share > self._config.action_flexibility * share.max()]
        td, imitation = self._td(row, self._value_of_best(row, likely, "q_funcs")), self._imitation(row)["loss"]
        return {"loss": td + imitation, "td_loss": td, "imitator_loss": imitation}

    def _imitation(self, row: Row) -> Terms:
        likelihoods = self._likelihoods("imitator", row.features, row.here)
        imitation = -likelihoods[_place(row)]
        penalty = self._config.beta * (likelihoods**2).mean()
        return {"loss": imitation + penalty, "imitation_loss": imitation, "regularization_loss": penalty}

    def _soft(self, row: Row) -> Terms:
        temperature = self._temperature.squeeze()  # type: ignore[union-attr]  # soft actor-critic has one
        with torch.no_grad():
            following = self._likelihoods("policy", row.following, row.there)
            future = self._least("targ_q_funcs", row.following)[row.there] - temperature * following
            target = (following.exp() * future).sum()
            values = self._least("q_funcs", row.features)[row.here]
        critic, likelihoods = self._td(row, target), self._likelihoods("policy", row.features, row.here)
        actor = (likelihoods.exp() * (temperature * likelihoods - values)).sum()
        gap = (likelihoods.exp() * likelihoods).sum() + 0.98 * math.log(len(row.here))
        return {
            "loss": critic + actor,
            "critic_loss": critic,
            "actor_loss": actor,
            "temp_loss": -(temperature * gap).detach(),
        }

    def _implicit(self, row: Row) -> Terms:
        (value,) = self.networks["value_func"]
        with torch.no_grad():
            target = value(row.following)[0]
            logged = self._least("targ_q_funcs", row.features)[row.action]
        gap = logged - value(row.features)[0]
        v_loss = abs(self._config.expectile - float(gap < 0)) * gap**2
        weight = (self._config.weight_temp * gap.detach()).exp().clamp(max=self._config.max_weight)
        q_loss = self._td(row, target)
        actor = -weight * self._likelihoods("policy", row.features, row.here)[_place(row)]
        return {"loss": q_loss + v_loss + actor, "q_loss": q_loss, "v_loss": v_loss, "actor_loss": actor}

    def _value_of_best(self, row: Row, actions: torch.Tensor, chooser: str) -> torch.Tensor:
        with torch.no_grad():
            best = actions[self._mean(chooser, row.following)[actions].argmax()]
            return self._least("targ_q_funcs", row.following)[best]

    def _td(self, row: Row, target: torch.Tensor) -> torch.Tensor:
        aim = row.reward + self._config.gamma * row.goes_on * target
        values = [network(row.features)[row.action] for network in self.networks["q_funcs"]]
        errors = [huber_loss(value, aim) if self._loss == "huber" else (value - aim) ** 2 / 2 for value in values]
        return torch.stack(errors).sum()

    def _likelihoods(self, name: str, features: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        (network,) = self.networks[name]
        return network(features)[actions].log_softmax(dim=0)

    def _mean(self, name: str, features: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(features) for network in self.networks[name]]).mean(dim=0)

    def _least(self, name: str, features: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(features) for network in self.networks[name]]).amin(dim=0)


def _plain(part: Any, copies: dict[int, nn.Linear]) -> list[nn.Sequential]:
    """Networks of torch's own layers; a layer that two of ours share is shared here too."""
    found = []
    for one in part if isinstance(part, nn.ModuleList) else [part]:
        linear = [copies.setdefault(id(layer), deepcopy(layer)) for layer in dense_layers(one._encoder, one._fc)]
        found.append(nn.Sequential(*[module for layer in linear for module in (layer, nn.ReLU())][:-1]))
    return found


def _place(row: Row) -> int:
    """Of the logged action among those that the row has."""
    return row.here.tolist().index(row.action)
