"""A recorder without a GPU: the same path, nothing captured."""

from __future__ import annotations

from collections.abc import Callable

from rl.learning.updates.captured_call import Terms


class PlainRecorder:
    """Repeats a function by calling it."""

    def warm_up(self, function: Callable[[], Terms]) -> Terms:
        return function()

    def record(self, function: Callable[[], Terms]) -> Callable[[], Terms]:
        return function
