"""Where a training run left off: one file, replaced whole, and taken up only by the run that wrote it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
import torch

FORMAT = 1
EVERY_SECONDS = 30.0


@dataclass(frozen=True)
class CheckpointFile:
    """A file that holds the last checkpoint of one run.

    It holds tensors, numbers, strings, lists, tuples and dicts alone, and is read without running anything in it.

    Attributes:
        path: where the file lies.
        identity: names everything that the run's numbers depend on: data, candidate, code.
        every_seconds: between two checkpoints.
    """

    path: Path
    identity: str
    every_seconds: float = EVERY_SECONDS

    def write(self, state: Mapping[str, Any]) -> None:
        """Write this state to the file in one move: a kill leaves the former state or this one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.draft")
        with draft.open("wb") as file:
            torch.save({"format": FORMAT, "identity": self.identity, "state": dict(state)}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)

    def read(self) -> dict[str, Any] | None:
        """Return the state; None where there is no file, it can't be read, or another run wrote it."""
        if not self.path.exists():
            return None
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            found = {"format": content["format"], "identity": content["identity"]}
            state: dict[str, Any] = content["state"]
        except Exception as error:  # a file that isn't a checkpoint makes torch raise anything
            self._warn(f"it can't be read: {type(error).__name__}")
            return None
        if found != {"format": FORMAT, "identity": self.identity}:
            self._warn("another run wrote it: data, candidate, code or format differ")
            return None
        return state

    def remove(self) -> None:
        """Remove the file, and those of other networks."""
        for path in (self.path, *self.path.parent.glob(f"{self.path.stem}-*{self.path.suffix}")):
            path.unlink(missing_ok=True)

    def of_network(self, place: int) -> CheckpointFile:
        """Return the file of one network of several, which are trained one after the other; the first has this one.

        Args:
            place: of the network, from 0.
        """
        if place == 0:
            return self
        path = self.path.with_name(f"{self.path.stem}-{place}{self.path.suffix}")
        return replace(self, path=path, identity=f"{self.identity}, network {place}")

    def _warn(self, reason: str) -> None:
        structlog.get_logger().warning("checkpoint not used; training from the start", file=str(self.path), why=reason)


class Timer:
    """Says when the next checkpoint is due."""

    def __init__(self, every_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Return True, and restart the clock, once `every_seconds` have passed since the last True."""
        if time.monotonic() - self._last < self._every_seconds:
            return False
        self._last = time.monotonic()
        return True
