"""How far a training run is, in a line now and then."""

from __future__ import annotations

import time

import structlog

N_PROGRESS_LINES = 10


class Progress:
    """Says how far training is, how fast, and how long it still takes."""

    def __init__(self, name: str, n_updates: int, *, done: int = 0, seconds: float = 0.0) -> None:
        """Start to count.

        Args:
            name: the candidate's, for the lines.
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
        """Seconds of all processes that did part of the run."""
        return self._seconds_before + time.perf_counter() - self._started

    def is_due(self, update: int) -> bool:
        """Return whether a line is due after this update."""
        return update % self._every == 0

    def show(self, update: int, loss: float) -> None:
        """Print the line."""
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
