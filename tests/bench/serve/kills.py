"""A service killed again and again under load: what was answered stands in the log once, and when it decides again."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.rl.serving.callers import Load
from tests.rl.serving.served_home import running

N_BETWEEN = 100


def killed(home: Path, n_kills: int) -> dict[str, Any]:
    """Kill the service of a home so many times, each after a hundred decisions.

    Raises:
        RuntimeError: an answered decision isn't in the log once.
    """
    told, seconds = list[str](), list[float]()
    for _ in range(n_kills):
        started = time.perf_counter()
        with running(home, version=1) as service:
            assert service.decide()[0] == 200
            seconds.append(time.perf_counter() - started)
            with Load(service) as load:
                load.wait_for(N_BETWEEN)
                service.kill()
        told += load.told
    counts = Counter(line["decision_id"] for line in service.logged())
    if wrong := {one: counts[one] for one in told if counts[one] != 1}:
        raise RuntimeError(f"{len(wrong)} answered decisions don't stand in the log once: {list(wrong.items())[:5]}")
    return {
        "kills": n_kills,
        "answered": len(told),
        "logged": counts.total(),
        "logged_twice": sum(n > 1 for n in counts.values()),
        # From the start of the process to its first decision; the first start is after no kill.
        "seconds_until_serving_median": round(statistics.median(seconds[1:]), 2),
        "seconds_until_serving_longest": round(max(seconds[1:]), 2),
    }
