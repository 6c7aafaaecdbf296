"""Sampling a batch: ours, stock d3rlpy, and a plain gather with NumPy.

All three draw rows with replacement and end with tensors on the device. Ours also gathers masks; d3rlpy draws from
fewer rows, since it has none for the last event of a cut episode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import numpy as np
import torch
from d3rlpy.torch_utility import TorchMiniBatch

from rl.learning.replay.replay import Replay
from tests.bench.train.log import Log, random_log
from tests.bench.train.timing import DEVICE, milliseconds, ratios, setting, time_in_turn
from tests.rl.learning.replay.uniform_rows import UniformRows

BATCH_SIZES = (256, 1024, 4096)


def lines() -> Iterator[dict[str, Any]]:
    """One line a batch size."""
    log = random_log()
    replay, stock = Replay(log.episodes(), device=DEVICE), log.mdp_dataset()
    for size in BATCH_SIZES:
        found = time_in_turn(
            {
                "ours": _ours(replay, size),
                "d3rlpy": stock_sampling(stock, size),
                "numpy": _numpy(log, size),
            }
        )
        yield {
            "bench": "train_sampling",
            "batch": size,
            "times_ours": ratios(found, "ours"),
            "milliseconds": milliseconds(found),
        } | setting()


def stock_sampling(stock: Any, size: int) -> Callable[[], TorchMiniBatch]:
    """What d3rlpy does before each update."""
    return lambda: TorchMiniBatch.from_batch(
        batch=stock.sample_transition_batch(size), gamma=0.99, compute_returns_to_go=False, device=DEVICE
    )


def _ours(replay: Replay, size: int) -> Callable[[], TorchMiniBatch]:
    rows = UniformRows(replay.n_transitions, size, seed=0)
    return lambda: replay.batch(rows.next())


def _numpy(log: Log, size: int) -> Callable[[], list[torch.Tensor]]:
    generator = np.random.default_rng(0)
    reward, terminal = log.reward.astype(np.float32), log.terminal.astype(np.float32)
    columns = (log.features, log.action, reward, log.next_features, terminal)

    def gather() -> list[torch.Tensor]:
        rows = generator.integers(len(log.action), size=size)
        return [torch.from_numpy(column[rows]).to(DEVICE) for column in columns]

    return gather
