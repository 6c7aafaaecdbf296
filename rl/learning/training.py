"""Training of one candidate: d3rlpy's updates on our replay, with learning curves."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import structlog
import torch

from rl.candidates import SeededCandidate
from rl.errors import TrainingError
from rl.learning.algorithms import ALGORITHMS, Algorithm
from rl.learning.replay import Replay, ShuffledRows
from rl.logged_episodes import LoggedEpisodes
from rl.policy.network import Network

# Points of a learning curve, and rows of the validation split that a point is computed on.
N_CURVE_POINTS = 25
N_PROGRESS_LINES = 10
N_VALIDATION_ROWS = 4096

# One thread is as fast as two on layers this small, and leaves the other cores to the other candidates.
N_THREADS = 1


@dataclass(frozen=True)
class CurvePoint:
    """A logged value: after how many updates, at how many seconds, on which split."""

    update: int
    seconds: float
    split: str
    metric: str
    value: float


@dataclass(frozen=True)
class TrainingSettings:
    """What training needs beside the candidate.

    Attributes:
        gamma: discount per step.
        device: for torch.
        never_chosen: action that the policy won't choose.
    """

    gamma: float
    device: str = "cpu"
    never_chosen: int | None = None


@dataclass(frozen=True)
class TrainedCandidate:
    """What training gives.

    Attributes:
        network: outputs before any mask.
        output_scale: what the policy divides outputs by.
        reward_scale: training rewards were divided by it; values times it are in reward units.
        curve: learning curves.
        seconds: of the updates alone.
        algorithm: d3rlpy's, as trained.
    """

    network: Network
    output_scale: float
    reward_scale: float
    curve: tuple[CurvePoint, ...]
    seconds: float
    algorithm: Any = field(repr=False)


def train_candidate(
    seeded: SeededCandidate, training: LoggedEpisodes, validation: LoggedEpisodes, settings: TrainingSettings
) -> TrainedCandidate:
    """The candidate, trained; the seed fixes every number on one kind of device.

    Raises:
        TrainingError: nothing to learn from, a loss that isn't finite, or not enough memory.
    """
    torch.set_num_threads(N_THREADS)
    torch.manual_seed(seeded.seed)
    method = ALGORITHMS[seeded.candidate.algorithm]
    reward_scale = _reward_scale(training)
    with _clear_memory_errors(seeded):
        replay, held_out = (
            Replay(episodes, device=settings.device, reward_scale=reward_scale, never_chosen=settings.never_chosen)
            for episodes in (training, validation)
        )
        algorithm = method.create(seeded.candidate, gamma=settings.gamma, device=settings.device)
        algorithm.create_impl(replay.observation_shape, replay.n_actions)
        started = time.perf_counter()
        curve = tuple(_update(seeded, method, algorithm, replay, held_out))
    network = method.network(algorithm)
    return TrainedCandidate(
        network=network,
        output_scale=method.output_scale(network, training),
        reward_scale=reward_scale,
        curve=curve,
        seconds=time.perf_counter() - started,
        algorithm=algorithm,
    )


def resolve_device(wanted: str) -> str:
    """`cuda` where there is one and it isn't ruled out, else `cpu`.

    Raises:
        TrainingError: CUDA was asked for and there is none.
    """
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return "cpu"
    if not torch.cuda.is_available():
        raise TrainingError("NIGHTCART_DEVICE is cuda, but torch finds no GPU; set it to auto or cpu")
    return "cuda:0"


def _reward_scale(training: LoggedEpisodes) -> float:
    """Standard deviation of rewards, so that one learning rate and one conservative weight fit any currency."""
    spread = float(training.reward.std()) if training.n_transitions else 0.0
    return spread if spread > 1e-9 else 1.0


def _update(
    seeded: SeededCandidate, method: Algorithm, algorithm: Any, replay: Replay, held_out: Replay
) -> Iterator[CurvePoint]:
    """All updates are done; gives the points of the learning curves."""
    n_updates = seeded.candidate.n_updates
    rows = ShuffledRows(replay.n_transitions, seeded.candidate.batch_size, seeded.seed)
    progress = _Progress(seeded.name, n_updates)
    every = max(1, n_updates // N_CURVE_POINTS)
    totals: dict[str, float] = {}
    for update in range(1, n_updates + 1):
        losses = algorithm.impl.update(replay.batch(rows.next()), update)
        if not math.isfinite(losses["loss"]):
            raise TrainingError(
                f"candidate {seeded.name}: the loss is {losses['loss']} at update {update} of {n_updates}; lower its "
                f"learning_rate ({seeded.candidate.learning_rate}) or look for extreme rewards"
            )
        for name, value in losses.items():
            totals[name] = totals.get(name, 0.0) + value / every
        if update % every == 0:
            seconds = progress.seconds
            yield from _points(update, seconds, "train", totals)
            yield from _points(update, seconds, "validation", _held_out_metrics(method, algorithm, held_out))
            totals = {}
        progress.show(update, losses["loss"])


def _points(update: int, seconds: float, split: str, values: dict[str, float]) -> list[CurvePoint]:
    return [CurvePoint(update, round(seconds, 3), split, name, value) for name, value in values.items()]


def _held_out_metrics(method: Algorithm, algorithm: Any, replay: Replay) -> dict[str, float]:
    """Loss terms, and the share of rows in which the greedy action is the logged one."""
    n = min(N_VALIDATION_ROWS, replay.n_transitions)
    batch = replay.batch(np.linspace(0, replay.n_transitions - 1, n).astype(np.int64))
    with torch.no_grad():
        values = {name: float(value) for name, value in method.losses(algorithm, batch).items()}
        greedy = algorithm.impl.predict_best_action(batch.observations)
    return values | {"agreement": float((greedy == batch.actions.view(-1)).float().mean())}


class _Progress:
    """A line now and then: how far, how fast, how long still."""

    def __init__(self, name: str, n_updates: int) -> None:
        self._log = structlog.get_logger()
        self._name = name
        self._n_updates = n_updates
        self._every = max(1, n_updates // N_PROGRESS_LINES)
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started

    def show(self, update: int, loss: float) -> None:
        if update % self._every:
            return
        rate = update / max(self.seconds, 1e-9)
        self._log.info(
            "training",
            candidate=self._name,
            update=update,
            of=self._n_updates,
            updates_per_second=round(rate, 1),
            seconds_left=round((self._n_updates - update) / rate, 1),
            loss=round(loss, 4),
        )


@contextmanager
def _clear_memory_errors(seeded: SeededCandidate) -> Iterator[None]:
    """Running out of memory is one clear message."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error).lower():
            raise
        size = seeded.candidate.batch_size
        raise TrainingError(
            f"candidate {seeded.name}: out of memory with batch_size {size}; try batch_size {max(1, size // 2)}"
        ) from error
