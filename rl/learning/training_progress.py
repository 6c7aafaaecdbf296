"""How far a training run is, in a line now and then."""

from __future__ import annotations

import time

import structlog

N_PROGRESS_LINES = 10


class Progress:
    """How far, how fast, how long still."""

    def __init__(self, name: str, n_updates: int, *, done: int = 0, seconds: float = 0.0) -> None:
        """Begins to count.

        Args:
            name: of the candidate.
            n_updates: in all.
            done: by an earlier process that this one goes on from.
            seconds: that they took.
        """
        self._log = structlog.get_logger()
        self._name = name
        self._n_updates = n_updates
        self._every = max(1, n_updates // N_PROGRESS_LINES)
        self._done_before, self._seconds_before = done, seconds
        self._started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Of all processes that did part of the run."""
        return self._seconds_before + time.perf_counter() - self._started

    def is_due(self, update: int) -> bool:
        """Return after this update there is a line."""
        return update % self._every == 0

    def show(self, update: int, loss: float) -> None:
        """Prints the line."""
        rate = (update - self._done_before) / max(time.perf_counter() - self._started, 1e-9)
        self._log.info(
            "training",
            candidate=self._name,
            update=update,
            of=self._n_updates,
            updates_per_second=round(rate, 1),
            seconds_left=round((self._n_updates - update) / max(rate, 1e-9), 1),
            loss=round(loss, 4),
        )
