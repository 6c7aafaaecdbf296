"""The conservative double-Q step written directly in PyTorch: about what the hardware can do."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import huber_loss

from tests.bench.train.log import N_ACTIONS, N_FEATURES, Log

HIDDEN = 256
LEARNING_RATE = 3e-4
GAMMA = 0.99
TARGET_INTERVAL = 500


class DirectLoop:
    """Networks, fused Adam and the log as contiguous tensors, next observations included."""

    def __init__(self, log: Log, *, batch_size: int, device: str) -> None:
        self._columns = [
            torch.from_numpy(column).to(device)
            for column in (
                log.features,
                log.next_features,
                log.action[:, None],
                log.reward.astype("float32")[:, None],
                log.terminal.astype("float32")[:, None],
            )
        ]
        self._batch_size, self._device, self._n_steps = batch_size, device, 0
        self._network, self._target = (_network().to(device) for _ in range(2))
        self._target.load_state_dict(self._network.state_dict())
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=LEARNING_RATE, fused=True)

    def step(self) -> torch.Tensor:
        """A fresh batch, a double-Q target, Huber's loss and the conservative term, one step of Adam."""
        rows = torch.randint(len(self._columns[0]), (self._batch_size,), device=self._device)
        features, following, action, reward, terminal = (column.index_select(0, rows) for column in self._columns)
        with torch.no_grad():
            best = self._network(following).argmax(dim=1, keepdim=True)
            aim = reward + GAMMA * (1 - terminal) * self._target(following).gather(1, best)
        values = self._network(features)
        logged = values.gather(1, action)
        conservative = (values.logsumexp(dim=1, keepdim=True) - logged).mean()
        loss: torch.Tensor = huber_loss(logged, aim) + conservative
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._optimizer.step()
        self._n_steps += 1
        if self._n_steps % TARGET_INTERVAL == 0:
            self._target.load_state_dict(self._network.state_dict())
        return loss


def _network() -> nn.Module:
    return nn.Sequential(
        nn.Linear(N_FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, N_ACTIONS)
    )
