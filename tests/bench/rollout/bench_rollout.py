"""How often launches of known gain grow, finish and go back, over simulated shops whose shoppers return.

Prints JSON lines. Run by `make bench-rollout`: `LAUNCHES` of each kind, `SHOPPERS` of the shop, `SEED` where seeds
begin, `KINDS` which kinds by a part of their names.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import binomtest

from conf.specs.rollout import Rollout, Schedule
from tests.bench.rollout.launches import NEVER_FAILING, Failure, Lapse, LaunchEnd, Shop, simulate_launch, true_gain
from tests.bench.rollout.naive import pooled_gain

N_LAUNCHES, N_SHOPPERS, N_WORKERS, N_DAYS = 2000, 120_000, 2, 30
N_SCHEDULED_DAYS = 60
"""A small shop's launches take longer."""
SMALLER = (40, 20, 10, 5, 2.5)
"""How many times smaller than the others shops on a schedule are."""


@dataclass(frozen=True)
class Kind:
    """Launches of one kind, left open after `n_days`; `lost`: share of the new arm's shoppers who never arrive."""

    name: str
    gain: float
    shop: Shop
    rollout: Rollout
    lost: float = 0.0
    n_days: int = N_DAYS
    failure: Failure = NEVER_FAILING


def kinds(n_shoppers: int) -> list[Kind]:
    """Return what is simulated."""
    shop, rule = Shop(n_shoppers), Rollout()
    return [
        Kind("10% worse", -0.10, shop, rule),
        Kind("equal", 0.0, shop, rule),
        Kind("10% better", 0.10, shop, rule),
        Kind("worse by the margin", -rule.margin, shop, rule),
        Kind("equal, a tenth of the new arm lost", 0.0, shop, rule, lost=0.1),
        Kind("dead", -1.0, shop, rule),
        *lapsing_kinds(n_shoppers // 2),
        *scheduled_kinds(n_shoppers),
        *failing_kinds(shop),
    ]


def failing_kinds(shop: Shop) -> list[Kind]:
    """Return launches whose version never decides, and such of a service that is down for both arms now and then.

    The fallback brings half, or as much as the replaced version.
    """
    rule, poor, as_good = Rollout(), Failure(of_new=1.0), Failure(of_new=1.0, fallback_gain=0.0)
    small, down = Shop(shop.n_shoppers // 40), Failure(down_every=3)
    return [
        Kind("all decisions fail", 0.0, shop, rule, failure=poor),
        Kind("all decisions fail, of a fortieth of the shoppers", 0.0, small, rule, failure=poor),
        Kind("all decisions fail, the fallback brings as much", 0.0, shop, rule, failure=as_good),
        Kind("equal, service down every third day", 0.0, shop, rule, failure=down),
        Kind("10% better, service down every third day", 0.1, shop, rule, failure=down),
        Kind("10% worse, service down every third day", -0.1, shop, rule, failure=down),
    ]


def lapsing_kinds(n_shoppers: int) -> list[Kind]:
    """Return launches whose versions bring the same a visit, but not the same visits.

    A version that drives the poorer half away for good at their first visit shows it when they would have come again,
    in a fortnight. One that keeps them has more of the shoppers who bring least.
    """
    rule = Rollout()
    away, kept = Lapse(by_new=True, chance=1.0), Lapse(by_new=False)
    return [
        Kind("poorer shoppers kept", 0.0, Shop(n_shoppers, period=7, lapse=kept), rule),
        Kind("poorer shoppers driven away", 0.0, Shop(n_shoppers, period=14, lapse=away), rule),
        Kind("poorer shoppers driven away by chance", 0.0, Shop(n_shoppers, lapse=Lapse(by_new=True)), rule),
    ]


def scheduled_kinds(n_shoppers: int) -> list[Kind]:
    """Return launches of shops on a schedule, by how many shoppers they have."""
    rule = Rollout(schedule=Schedule(days=7, margin=0.2))
    shops = [Shop(round(n_shoppers / smaller)) for smaller in SMALLER]
    return [
        Kind(f"{shop.n_shoppers:,} shoppers on a schedule, {name}", gain, shop, rule, n_days=N_SCHEDULED_DAYS)
        for shop in shops
        for name, gain in (("10% worse", -0.10), ("equal", 0.0), ("10% better", 0.10))
    ]


def main(n_launches: int, n_shoppers: int, seed: int, chosen: str) -> None:
    """All launches of the kinds are tried and reported."""
    with ProcessPoolExecutor(N_WORKERS) as pool:
        for place, kind in enumerate(kinds(n_shoppers)):
            if chosen not in kind.name:
                continue
            started = time.perf_counter()
            seeds = [[seed, place, number] for number in range(n_launches)]
            ends = list(pool.map(partial(_simulated, kind), seeds, chunksize=20))
            print(json.dumps(_line(kind, ends, time.perf_counter() - started)), flush=True)
        if chosen in "pooled means":
            n = max(n_launches // 10, 20)
            gains = list(pool.map(partial(_pooled, Shop(n_shoppers)), range(seed, seed + n), chunksize=5))
            line = {"kind": "pooled means of an equal version under a growing share", "launches": n}
            print(json.dumps(line | {"mean_gain": round(float(np.mean(gains)), 4)}), flush=True)


def _simulated(kind: Kind, seed: Sequence[int]) -> LaunchEnd:
    generator = np.random.default_rng(seed)
    return simulate_launch(
        kind.rollout,
        kind.shop,
        generator,
        gain=kind.gain,
        n_days=kind.n_days,
        lost=kind.lost,
        failure=kind.failure,
    )


def _pooled(shop: Shop, seed: int) -> float:
    return pooled_gain(shop, np.random.default_rng([seed, 99]), (0.05, 0.25, 0.5), 7)


def _line(kind: Kind, ends: Sequence[LaunchEnd], seconds: float) -> dict[str, object]:
    complete, back = ([end.n_days for end in ends if end.ended == how] for how in ("complete", "retreat"))
    grown = [end for end in ends if end.n_smaller_arm]
    compared = [end.spread for end in ends if end.spread]
    return {
        "kind": kind.name,
        "launches": len(ends),
        "shoppers": kind.shop.n_shoppers,
        "days": kind.n_days,
        "true_gain_over_8_weeks": round(true_gain(kind.shop, kind.gain, n_days=56), 4),
        "passed_25_percent": _rate([end.share > 0.25 for end in ends]),
        "reached_25_percent": _rate([end.share >= 0.25 for end in ends]),
        "complete": _rate([end.ended == "complete" for end in ends]),
        "complete_in_30_days": _rate([end.ended == "complete" and end.n_days <= N_DAYS for end in ends]),
        "retreated": _rate([end.ended == "retreat" for end in ends]),
        "held_by_mismatch": _rate([end.held_by_mismatch for end in ends]),
        "median_days_to_complete": float(np.median(complete)) if complete else None,
        "median_days_to_retreat": float(np.median(back)) if back else None,
        "most_days_to_retreat": max(back, default=None),
        "median_smaller_arm_at_first_growth": float(np.median([end.n_smaller_arm for end in grown])) if grown else None,
        "spread_of_a_shoppers_value": round(float(np.median(compared)), 2) if compared else None,
        "seconds": round(seconds, 1),
    }


def _rate(found: Sequence[bool]) -> dict[str, object]:
    """Return how many of the launches, with an exact 95% interval of the rate."""
    interval = binomtest(sum(found), len(found)).proportion_ci(method="exact")
    return {
        "n": sum(found),
        "rate": round(sum(found) / len(found), 4),
        "interval": [round(float(x), 4) for x in interval],
    }


if __name__ == "__main__":
    main(
        int(os.environ.get("LAUNCHES") or N_LAUNCHES),
        int(os.environ.get("SHOPPERS") or N_SHOPPERS),
        int(os.environ.get("SEED") or 1),
        os.environ.get("KINDS") or "",
    )
