"""What nights of the shop of weekly offers say against what is true, and what their policies earn against a team's own.

For each log of the shop: a night as `make nightly SCENARIO=promotion` runs it, without Spark and Airflow. Prints JSON
lines: the gate's gain with its interval and verdict beside the true gain of the same episodes (`estimate`); profit and
spend of the selected policy, of its network at the lowest temperature (`coolest`) and of each fixed policy, per
shopper-week of the test weeks (`worth`); and last the mean gain of the two over each fixed policy, with Student's 95%
interval over logs (`summary`). Run by `make bench-promotion`:

- `SEEDS=5`: logs.
- `SHOPPERS=1000`: of each log.
- `TRUTH=8000`: shoppers that truths are played on.
- `SMALL=1`: few updates, to see that everything runs.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from rl.logs import configure_logs
from tests.bench.promotion.night_trial import NightTrial, Row, Size


def main() -> None:
    """Every log that the environment asks for is tried and reported."""
    configure_logs("console")
    small = bool(os.environ.get("SMALL"))
    size = Size(
        n_shoppers=int(os.environ.get("SHOPPERS", "150" if small else "1000")),
        n_truth=int(os.environ.get("TRUTH", "600" if small else "8000")),
        is_small=small,
    )
    gains: dict[str, dict[str, list[float]]] = {"selected_above": {}, "coolest_above": {}}
    for seed in range(1, int(os.environ.get("SEEDS", "5")) + 1):
        trial = NightTrial.of(seed, size)
        _say(trial.estimate())
        for row in trial.worths():
            _say(row)
            for kind in gains.keys() & row.keys():
                gains[kind].setdefault(row["policy"], []).append(row[kind])
    for kind, found in gains.items():
        _say({"kind": "summary", kind: {name: mean_with_interval(values) for name, values in found.items()}})


def mean_with_interval(values: list[float], level: float = 0.95) -> dict[str, Any]:
    """Mean over logs, and Student's interval where there are two or more."""
    found, n = np.array(values), len(values)
    half = float(student_t.ppf((1 + level) / 2, n - 1) * found.std(ddof=1) / np.sqrt(n)) if n > 1 else None
    mean = float(found.mean())
    bounds = (None, None) if half is None else (round(mean - half, 3), round(mean + half, 3))
    return {"mean": round(mean, 3), "lower": bounds[0], "upper": bounds[1], "logs": n}


def _say(row: Row) -> None:
    print(json.dumps({"bench": "promotion", **row}), flush=True)


if __name__ == "__main__":
    main()
