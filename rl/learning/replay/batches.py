"""A replay's batches in the order of some rows: gathered when asked for, or by threads ahead of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
from d3rlpy.torch_utility import TorchMiniBatch

from rl.learning.replay.replay import Replay
from rl.learning.replay.row_order import RowOrder

# Each thread waits for its own pages of the files, so several waits pass at a time.
N_THREADS = 4


class Batches(Protocol):
    """Batches without end; which ones come doesn't depend on when they are gathered."""

    def next(self) -> TorchMiniBatch:
        """Return the next batch."""
        ...

    def state(self) -> dict[str, Any]:
        """Return the place in the order of rows, as if nothing had been gathered ahead."""
        ...

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up that place in the order of rows.

        Raises:
            TrainingError: the state is of another order.
        """
        ...


class GatheredBatches:
    """Batches that are gathered when they are asked for."""

    def __init__(self, replay: Replay, order: RowOrder) -> None:
        self._replay = replay
        self._order = order

    def next(self) -> TorchMiniBatch:
        return self._replay.batch(self._order.next())

    def state(self) -> dict[str, Any]:
        return self._order.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._order.load_state(state)


class PrefetchedBatches:
    """Batches that threads gather ahead while the learner learns from this one."""

    def __init__(self, replay: Replay, order: RowOrder, *, n_threads: int = N_THREADS) -> None:
        self._replay = replay
        self._order = order
        self._n_ahead = n_threads
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="prefetch")
        # With each batch, the state that the order was in before it: drawn ahead isn't learned from yet.
        self._waiting: deque[tuple[dict[str, Any], Future[TorchMiniBatch]]] = deque()

    def next(self) -> TorchMiniBatch:
        self._fill()
        _, batch = self._waiting.popleft()
        self._fill()
        return batch.result()

    def state(self) -> dict[str, Any]:
        return self._waiting[0][0] if self._waiting else self._order.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        self._order.load_state(state)
        self._waiting.clear()

    def _fill(self) -> None:
        while len(self._waiting) < self._n_ahead:
            state = self._order.state()
            self._waiting.append((state, self._threads.submit(self._replay.batch, self._order.next())))


def batches_of(replay: Replay, order: RowOrder) -> Batches:
    """Return batches that are gathered ahead where rows come from files or must be moved to a device."""
    is_far = replay.is_mapped or not replay.is_on_device
    return PrefetchedBatches(replay, order) if is_far else GatheredBatches(replay, order)
