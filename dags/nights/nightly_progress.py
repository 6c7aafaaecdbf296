"""What a nightly run shows while it runs: its stages, with seconds, and where the long log is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SECONDS_BETWEEN_SIGNS = 15.0


class NightlyProgress:
    """Prints a line when a stage starts, ends, is skipped or fails, and a sign of life while one takes long.

    Stages may run side by side.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._start = time.monotonic()
        self._begun: dict[str, float] = {}
        self._ended = threading.Event()
        self.seconds: dict[str, float] = {}
        threading.Thread(target=self._show_signs_of_life, daemon=True).start()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    @property
    def running(self) -> list[str]:
        """The stages that have begun and not ended, the last begun last."""
        return list(self._begun)

    def say(self, text: str) -> None:
        """Print the line, after the seconds since the start."""
        self._write(f"[{self.elapsed:6.1f} s] {text}\n")

    def begin(self, stage: str) -> None:
        self._begun[stage] = time.monotonic()
        self.say(stage)

    def finish(self, stage: str, how: str = "done") -> None:
        """Say that the stage has ended, and add its seconds to its kind's (`train bc-1` counts as `train`)."""
        took = time.monotonic() - self._begun.pop(stage, time.monotonic())
        self.say(f"{stage}: {how}, {took:.1f} s")
        kind = stage.split(" ", maxsplit=1)[0]
        self.seconds[kind] = self.seconds.get(kind, 0.0) + took

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Run the block as a stage: say when it begins, and when and how it ends."""
        self.begin(name)
        try:
            yield
        except BaseException:
            self.finish(name, "FAILED")
            raise
        self.finish(name)

    def end(self) -> None:
        """Stop the signs of life."""
        self._ended.set()

    def _show_signs_of_life(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_SIGNS):
            for stage, begun in list(self._begun.items()):
                if time.monotonic() - begun >= _SECONDS_BETWEEN_SIGNS:
                    self.say(f"{stage} … {time.monotonic() - begun:.0f} s")
