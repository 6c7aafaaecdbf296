"""Callers of a service that ask without a pause, and what they were told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from http.client import HTTPException

from tests.rl.serving.served_home import Running


class Load:
    """Callers that ask without a pause, and what they were told."""

    def __init__(self, service: Running, n_callers: int = 4) -> None:
        self.told: list[str] = []
        self.statuses: Counter[int] = Counter()
        self._has_ended = threading.Event()
        self._callers = [threading.Thread(target=self._call, args=(service, number)) for number in range(n_callers)]

    def __enter__(self) -> Load:
        for caller in self._callers:
            caller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._has_ended.set()
        for caller in self._callers:
            caller.join()

    def wait_for(self, n_more: int) -> None:
        """Until so many more decisions were answered."""
        goal, end = len(self.told) + n_more, time.monotonic() + 60
        while len(self.told) < goal:
            assert time.monotonic() < end, (self.statuses, len(self.told))
            time.sleep(0.01)

    def _call(self, service: Running, number: int) -> None:
        while not self._has_ended.is_set():
            try:
                status, answer = service.decide(user_id=f"shopper-{number}")
            except (OSError, HTTPException):
                continue
            self.statuses[status] += 1
            if status == 200:
                self.told += [one["decision_id"] for one in answer["decisions"]]
