"""How far above the least possible cost each way to order lands, on the test bed of lost sales.

Prints a JSON line for each cell, log, method and seed, and a last one with means and worst cells. Run by
`make bench-inventory`; the environment narrows it:

- `CELLS=p4-L2,p9-L3`: cells; all twelve without it.
- `SHIFTS=0,3,-3`: units that the log's levels are ordered beside the best one.
- `SEEDS=3`: of each learner; of the shop of many products, logs.
- `METHODS=censoring,night_demand,many,real,night,best,formulas,hindsight,relabelled,on_arrival,cql,iql,actor_cql,...`:
  in this order, each over all cells; `censoring` is the bias of fitted demand, `night_demand` that of a night's laws,
  `many` a shop of many products, `night` whole nights of orders on simulated shops' deliveries, all on logs of their
  own, `real` the log of `LOGS`; `actor_` begins the names of learners of continuous orders.
- `NIGHTS=daily,weekly,shared,shelf,corrected,shipped,packs`: kinds of nights, as of
  `tests.bench.inventory.night_kinds`; all without it.
- `LOGS=path`: folder of the days of UCI Online Retail; `real` is left out without it.
- `SMALL=1`: logs and learners of a hundredth of the size, to see that everything runs.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import t as student_t

from rl.logs import configure_logs
from rl.shops.inventory.many_products import FULL_SHOP
from rl.shops.inventory.test_bed import Cell, all_cells
from tests.bench.inventory import censoring, many_trial, night_demand, night_trial, real_trial
from tests.bench.inventory.night_home import NightHomes
from tests.bench.inventory.night_kinds import NIGHTS
from tests.bench.inventory.trial import (
    ACTORS,
    Effort,
    Row,
    Trial,
    actors,
    best_possible,
    formulas,
    hindsight,
    plain_values,
    relabelled_values,
)

OF_THEIR_OWN = ("censoring", "night_demand", "many", "real", "night")
METHODS = (
    *OF_THEIR_OWN,
    *("best", "formulas", "hindsight", "relabelled", "on_arrival", "cql", "iql"),
    *(f"actor_{algorithm}" for algorithm in ACTORS),
)
SMALL = Effort(n_periods=4000, n_hindsight_updates=6, n_value_updates=50, n_actor_updates=20)


def main() -> None:
    """Everything that the environment asks for is tried and reported."""
    configure_logs("console")
    effort = SMALL if os.environ.get("SMALL") else Effort()
    shifts = [int(shift) for shift in os.environ.get("SHIFTS", "0,3,-3").split(",")]
    seeds = range(1, int(os.environ.get("SEEDS", "3")) + 1)
    methods, cells = os.environ.get("METHODS", ",".join(METHODS)).split(","), _cells()
    rows: list[Row] = []
    for row in _of_their_own(methods, seeds, effort):
        print(json.dumps(row), flush=True)
    methods = [method for method in methods if method not in OF_THEIR_OWN]
    for method, shift, cell in product(methods, shifts, cells):
        if method == "best" and shift != shifts[0]:
            continue  # no log is looked at
        for row in _rows(Trial(cell, shift, effort), method, seeds):
            print(json.dumps(row), flush=True)
            rows.append(row)
    print(json.dumps({"bench": "inventory", "summary": summary(rows)}))


def summary(rows: list[Row]) -> list[Row]:
    """Return mean and worst percent above the optimum of each method and log, over cells and seeds.

    With two seeds or more, the mean over cells has a 95% interval: Student's, over what each seed reached.
    """
    found = []
    for shift, method in dict.fromkeys((row["shift"], row["method"]) for row in rows):
        runs = [row for row in rows if (row["shift"], row["method"]) == (shift, method)]
        judged = [row["percent_above"] for row in runs if row["percent_above"] is not None]
        found.append(
            {
                "shift": shift,
                "method": method,
                "mean": round(float(np.mean(judged)), 3) if judged else None,
                "worst": max(judged, default=None),
                "runs": len(runs),
                "without_cost": len(runs) - len(judged),
            }
            | _interval(runs)
        )
    return found


def _interval(runs: list[Row]) -> Row:
    """Return the interval of the mean over cells; nothing with one seed, or a run without cost."""
    seeds = sorted({row["seed"] for row in runs if "seed" in row})
    if len(seeds) < 2 or any(row["percent_above"] is None for row in runs):
        return {}
    means = [float(np.mean([row["percent_above"] for row in runs if row["seed"] == seed])) for seed in seeds]
    reach = float(student_t.ppf(0.975, len(means) - 1) * np.std(means, ddof=1) / np.sqrt(len(means)))
    return {"lower": round(float(np.mean(means)) - reach, 3), "upper": round(float(np.mean(means)) + reach, 3)}


def _of_their_own(methods: list[str], seeds: range, effort: Effort) -> Iterator[Row]:
    """Yield the rows of methods that look at no cell."""
    if "censoring" in methods:
        yield from censoring.rows(n_logs=2 if effort is SMALL else 50)
    if "night_demand" in methods:
        yield from night_demand.rows(n_logs=2 if effort is SMALL else 10, n_days=1500 if effort is SMALL else 6000)
    if "many" in methods:
        shop, settings = FULL_SHOP, many_trial.SETTINGS
        if effort is SMALL:
            shop, settings = replace(shop, n_products=8, n_days=280), replace(settings, n_updates=3)
        yield from (many_trial.row(seed, shop=shop, settings=settings) for seed in seeds)
    if "real" in methods and (logs := os.environ.get("LOGS")):
        yield from real_trial.rows(Path(logs), seeds=seeds)
    if "night" in methods:
        yield from _nights(is_small=effort is SMALL)


def _nights(*, is_small: bool) -> Iterator[Row]:
    """Yield the rows of the nights that the environment asks for; of small ones, the first of each kind."""
    wanted = os.environ.get("NIGHTS", ",".join(NIGHTS)).split(",")
    if unknown := [name for name in wanted if name not in NIGHTS]:
        sys.exit(f"no nights {', '.join(unknown)}; expected some of {', '.join(NIGHTS)}")
    with TemporaryDirectory(prefix="bench-inventory-") as folder:
        homes = NightHomes(Path(folder))
        for name in wanted:
            nights = (NIGHTS[name][0].small(),) if is_small else NIGHTS[name]
            for night in nights:
                yield from night_trial.rows_of(night, homes)


def _cells() -> list[Cell]:
    known = {cell.name: cell for cell in all_cells()}
    wanted = os.environ.get("CELLS", ",".join(known)).split(",")
    if unknown := [name for name in wanted if name not in known]:
        sys.exit(f"no cells {', '.join(unknown)}; expected some of {', '.join(known)}")
    return [known[name] for name in wanted]


def _rows(trial: Trial, method: str, seeds: range) -> Iterator[Row]:
    if method == "best":
        yield from best_possible(trial)
    elif method == "formulas":
        yield from formulas(trial)
    elif method == "hindsight":
        yield from (hindsight(trial, seed) for seed in seeds)
    elif method == "relabelled":
        yield from (relabelled_values(trial, seed) for seed in seeds)
    elif method == "on_arrival":
        yield from (relabelled_values(trial, seed, is_on_arrival=True) for seed in seeds)
    elif method.removeprefix("actor_") in ACTORS and method.startswith("actor_"):
        for seed in seeds:
            yield from actors(trial, seed, method.removeprefix("actor_"))
    elif method in ("cql", "iql"):
        yield from (plain_values(trial, seed, f"discrete_{method}") for seed in seeds)
    else:
        sys.exit(f"no method {method}; expected some of {', '.join(METHODS)}")


if __name__ == "__main__":
    main()
