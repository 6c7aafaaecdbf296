"""How often 95% intervals of the doubly robust estimate hold the true value, over logs of one simulated shop.

Prints a JSON line for each seed and policy, and a last one with the hits. Run by `make bench-coverage`.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from tests.bench.coverage_trial import POLICIES, intervals, true_values

N_SEEDS = 20


def main(n_seeds: int = N_SEEDS) -> None:
    """All seeds are tried and reported."""
    truth = true_values()
    rows = [row for seed in range(1, n_seeds + 1) for row in _try(seed)]
    summary = {
        name: {
            "hits": sum(bool(row["is_hit"]) for row in rows if row["policy"] == name),
            "of": n_seeds,
            "true_value": round(truth[name].value, 4),
            "true_value_standard_error": round(truth[name].standard_error, 4),
            "mean_estimate": round(float(np.mean(_column(rows, name, "value"))), 4),
            "spread_of_estimates": round(float(np.std(_column(rows, name, "value"), ddof=1)), 4),
            "mean_standard_error": round(float(np.mean(_column(rows, name, "standard_error"))), 4),
        }
        for name in POLICIES
    }
    print(json.dumps({"summary": summary}))


def _column(rows: list[dict[str, object]], policy: str, field: str) -> list[float]:
    return [float(str(row[field])) for row in rows if row["policy"] == policy]


def _try(seed: int) -> list[dict[str, object]]:
    started = time.perf_counter()
    rows = []
    for name, found in intervals(seed).items():
        true = true_values()[name].value
        row: dict[str, object] = {
            "seed": seed,
            "policy": name,
            "value": round(found.value, 4),
            "lower": round(found.lower, 4),
            "upper": round(found.upper, 4),
            "standard_error": round(found.standard_error, 4),
            "true_value": round(true, 4),
            "is_hit": found.lower <= true <= found.upper,
        }
        rows.append(row)
    seconds = round(time.perf_counter() - started, 2)
    for row in rows:
        print(json.dumps({**row, "seconds_of_seed": seconds}), flush=True)
    return rows


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else N_SEEDS)
