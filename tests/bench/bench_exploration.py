"""Nights to a verdict under exploration plans and under uniform exploration at equal cost, and how they were forecast.

Prints JSON lines. Run by `make bench-exploration`; `REPLICATIONS` sets how many nights without a verdict each kind of
shop is followed from, `SEED` where its seeds begin.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

import numpy as np

from tests.bench.exploration.shop import Shop
from tests.bench.exploration.trial import Followed, Trial, trial

N_TRIALS = int(os.environ.get("REPLICATIONS") or 100)
FIRST_SEED = int(os.environ.get("SEED") or 70_000_000)


@dataclass(frozen=True)
class _Case:
    """A kind of shop: its actions, the floor of its champion, the candidate's gain, decisions of a test and a night.

    Gains are spread around `gain` by `spread`, so that some candidates are worse.
    """

    name: str
    n_actions: int
    floor: float
    gain: float
    n_test: int
    n_night: int
    spread: float = 0.0


CASES = (
    _Case("5 actions, floor .1", 5, 0.1, 0.1, 3000, 400),
    _Case("20 actions, floor .1", 20, 0.1, 0.1, 3000, 400),
    _Case("20 actions, floor .3", 20, 0.3, 0.1, 3000, 400),
    _Case("5 actions, floor .1, gains spread", 5, 0.1, 0.05, 3000, 400, 0.1),
    _Case("5 actions, floor .1, +5%", 5, 0.1, 0.05, 6000, 1000),
)


def line(case: _Case, trials: Sequence[Trial], n_nights: int) -> dict[str, object]:
    """Return what came of the trials of a case."""
    plan, uniform = [one.plan for one in trials], [one.uniform for one in trials]
    return {
        "bench": "exploration",
        "shop": case.name,
        "trials": len(trials),
        "nights_drawn": n_nights,
        **{f"plan_{name}": value for name, value in _told(plan).items()},
        **{f"uniform_{name}": value for name, value in _told(uniform).items()},
        "plan_by_uniform": round(_median(plan) / _median(uniform), 3),
        "forecast_by_seen": round(float(np.median([one.forecast.median for one in plan]) / _median(plan)), 3),
        "plan_sooner": round(float(np.mean([one.plan.nights < one.uniform.nights for one in trials])), 3),
    }


def _told(ways: Sequence[Followed]) -> dict[str, object]:
    within = [one.forecast.soonest <= one.nights <= one.forecast.latest for one in ways]
    return {
        "median_nights": _finite(_median(ways)),
        "forecast_median": _finite(float(np.median([one.forecast.median for one in ways]))),
        "forecast_holds": round(float(np.mean(within)), 3),
        "better": round(float(np.mean([one.is_better for one in ways])), 3),
        "worse": round(float(np.mean([np.isfinite(one.nights) and not one.is_better for one in ways])), 3),
        "variance_by_true": round(float(np.median([one.variance_by_true for one in ways])), 3),
        "stated_cost": round(float(np.mean([one.stated_cost for one in ways])), 3),
        "true_cost": round(float(np.mean([one.true_cost for one in ways])), 3),
    }


def _median(ways: Sequence[Followed]) -> float:
    return float(np.median([one.nights for one in ways]))


def _finite(nights: float) -> float | str:
    return round(nights, 1) if np.isfinite(nights) else "more than a year"


def followed(case: _Case, n_drawn: list[int]) -> Iterator[Trial]:
    """Yield trials without end; the numbers of the nights that they came from go to `n_drawn`."""
    for seed in count(FIRST_SEED):
        gain = case.gain + case.spread * float(np.random.default_rng(seed + 1).standard_normal())
        shop = Shop.of(seed, n_actions=case.n_actions, floor=case.floor, gain=gain)
        found = trial(shop, seed, n_test=case.n_test, n_night=case.n_night)
        n_drawn[0] += 1
        if found is not None:
            yield found


def main() -> None:
    """Print a line for each kind of shop."""
    for case in CASES:
        n_drawn = [0]
        trials = list(islice(followed(case, n_drawn), N_TRIALS))
        print(json.dumps(line(case, trials, n_drawn[0])), flush=True)


if __name__ == "__main__":
    main()
