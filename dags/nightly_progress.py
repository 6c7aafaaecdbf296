"""What a nightly run shows while it runs: its stages, with seconds, and where the long log is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow.listeners import hookimpl

_SECONDS_BETWEEN_SIGNS = 15.0


class NightlyProgress:
    """Prints a line when a stage starts, ends, is skipped or fails, and a sign of life while one takes long.

    Registered with Airflow as a listener, so that stages are its tasks as they really run.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._start = time.monotonic()
        self._stage = ""
        self._stage_start = 0.0
        self._ended = threading.Event()
        self.seconds: dict[str, float] = {}
        self.failure: tuple[str, Any] | None = None
        threading.Thread(target=self._show_signs_of_life, daemon=True).start()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    def say(self, text: str) -> None:
        """The line is shown, after the seconds since the start."""
        self._write(f"[{self.elapsed:6.1f} s] {text}\n")

    def begin(self, stage: str) -> None:
        self._stage, self._stage_start = stage, time.monotonic()
        self.say(stage)

    def finish(self, how: str = "done") -> None:
        """The stage has ended; its seconds are added to those of its kind (`train bc-1` counts as `train`)."""
        took = time.monotonic() - self._stage_start
        self.say(f"{self._stage}: {how}, {took:.1f} s")
        kind = self._stage.split(" ")[0]
        self.seconds[kind] = self.seconds.get(kind, 0.0) + took
        self._stage = ""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The block runs as a stage."""
        self.begin(name)
        try:
            yield
        except BaseException:
            self.finish("FAILED")
            raise
        self.finish()

    def end(self) -> None:
        """No more signs of life."""
        self._ended.set()

    def _show_signs_of_life(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_SIGNS):
            if self._stage and time.monotonic() - self._stage_start >= _SECONDS_BETWEEN_SIGNS:
                self.say(f"{self._stage} … {time.monotonic() - self._stage_start:.0f} s")

    @hookimpl
    def on_task_instance_running(self, task_instance: Any) -> None:
        candidate = getattr(task_instance.task, "candidate", None)
        self.begin(f"{task_instance.task_id} {candidate}" if candidate else task_instance.task_id)

    @hookimpl
    def on_task_instance_success(self) -> None:
        self.finish()

    @hookimpl
    def on_task_instance_skipped(self) -> None:
        self.finish("skipped")

    @hookimpl
    def on_task_instance_failed(self, task_instance: Any, error: Any) -> None:
        self.failure = self.failure or (self._stage or task_instance.task_id, error)
        self.finish("FAILED")
