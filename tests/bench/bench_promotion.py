"""What nights of the shop of weekly offers say against what is true, and what their policies earn beside their peers.

For each log of the shop: a night as `make nightly SCENARIO=promotion` runs it, without Spark and Airflow. Prints JSON
lines: the gate's gain with its interval and verdict beside the true gain of the same episodes (`estimate`); profit and
spend of the selected policy and of each peer at equal spend, per shopper-week of the test weeks (`worth`); and the mean
gain over each peer, paired, with Student's 95% interval over logs (`summary`). For each log of the tabular shop: what
the same learner earns at four budgets beside the exact myopic policy and the exact optimum at its spend (`tabular`),
and the mean share of their gap that it closes (`tabular summary`). For each log of `PARTS=temperatures` (8,000 shoppers
unless asked otherwise): what a first night of the loop of offers says of each temperature, and which is shipped
(`temperature`, `temperature summary`). Run by `make bench-promotion`:

- `SEEDS=1-5`: logs, from the first to the last.
- `SHOPPERS=1000`: of each log.
- `TRUTH=8000`: shoppers that truths are played on.
- `PARTS=shop,tabular`: which shops; and `temperatures`.
- `SMALL=1`: few updates, to see that everything runs.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from rl.logs import configure_logs
from tests.bench.promotion.night_trial import ABOVE, NightTrial, Row, Size
from tests.bench.promotion.tabular_trial import TabularTrial
from tests.bench.promotion.temperature_trial import TemperatureTrial, shipped_by_rule


def main() -> None:
    """Every log that the environment asks for is tried and reported."""
    configure_logs("console")
    seeds, parts = seeds_of(os.environ.get("SEEDS", "1-5")), os.environ.get("PARTS", "shop,tabular").split(",")
    is_small = bool(os.environ.get("SMALL"))
    if "shop" in parts:
        _shop(seeds, is_small)
    if "tabular" in parts:
        _tabular(seeds, is_small)
    if "temperatures" in parts:
        _temperatures(seeds, is_small)


def _shop(seeds: list[int], is_small: bool) -> None:
    size = _size(is_small, n_shoppers=1000)
    gains: dict[str, dict[str, list[float]]] = {kind: {} for kind in ABOVE}
    for seed in seeds:
        trial = NightTrial.of(seed, size)
        _say(trial.estimate())
        for row in trial.worths():
            _say(row)
            for kind in gains.keys() & row.keys():
                gains[kind].setdefault(row["policy"], []).append(row[kind])
    for kind, found in gains.items():
        _say({"kind": "summary", kind: {name: mean_with_interval(values) for name, values in found.items()}})


def _tabular(seeds: list[int], is_small: bool) -> None:
    changes = {"n_updates": 30} if is_small else {}
    closed: dict[float, list[float]] = {}
    for seed in seeds:
        for row in TabularTrial.of(seed, n_shoppers=300 if is_small else 4000, candidate=changes).rows():
            _say(row)
            closed.setdefault(row["budget"], []).append(row["closed"])
    _say(
        {
            "kind": "tabular summary",
            "closed": {str(budget): mean_with_interval(values) for budget, values in closed.items()},
        }
    )


def _temperatures(seeds: list[int], is_small: bool) -> None:
    size, rows = _size(is_small, n_shoppers=8000), []
    for seed in seeds:
        for row in TemperatureTrial.of(seed, size).rows():
            _say(row)
            rows.append(row)
    _say(shipped_by_rule(rows))


def _size(is_small: bool, *, n_shoppers: int) -> Size:
    return Size(
        n_shoppers=int(os.environ.get("SHOPPERS", "150" if is_small else str(n_shoppers))),
        n_truth=int(os.environ.get("TRUTH", "600" if is_small else "8000")),
        is_small=is_small,
    )


def seeds_of(asked: str) -> list[int]:
    """Return the seeds from the first to the last of `6-10`; of one number `5`, those from 1 on."""
    first, _, last = asked.rpartition("-")
    return list(range(int(first or 1), int(last) + 1))


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
