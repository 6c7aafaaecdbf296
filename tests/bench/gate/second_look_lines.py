"""What second looks promote and ship over runs of nights, beside the same runs without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from conf.specs.judging import Gate
from tests.bench.gate.one_step_nights import Kind
from tests.bench.gate.one_step_shop import OneStepShop
from tests.bench.gate.second_look_odds import Candidates, Outcome, Plan, Run
from tests.bench.gate.second_look_runs import NightsRun, SecondLookPlan, ShopRun

N_NIGHTS = 60
OFF = "none"
PLANS: Mapping[str, Plan | None] = {
    OFF: None,
    "after 7 days": Plan(7),
    "after 14 days": Plan(14),
    "after 28 days": Plan(28),
    "after 14 days, first share .8": Plan(14, 0.8),
    "after 14 days, old sessions pooled": Plan(14, reads="pooled"),
}
CANDIDATES: Mapping[str, Candidates] = {
    "no gain, fixed": Candidates(),
    "no gain, other ones every night": Candidates(alike=0.7),
    "sureness 1, fixed": Candidates(1.0),
    "sureness 2, fixed": Candidates(2.0),
    "sureness 1 ± .5, other ones every night": Candidates(1.0, 0.5, 0.7),
    "sureness 2 ± .5, other ones every night": Candidates(2.0, 0.5, 0.7),
    "sureness 0 ± 1, other ones every night": Candidates(0.0, 1.0, 0.7),
}
"""By how many standard errors the gain is expected to be above nothing on a test split of seven days."""


Outcomes = Mapping[str, Outcome] | Mapping[str, NightsRun]
"""What a run comes to, by plan."""


def normal_outcomes(name: str, seed: int) -> dict[str, Outcome]:
    """What each plan comes to on one run of candidates whose gains are normal."""
    run = Run(CANDIDATES[name], seed, n_nights=N_NIGHTS)
    return {plan: run.outcome(how) for plan, how in PLANS.items()}


def shop_kinds() -> tuple[Kind, ...]:
    """Return fixed candidates of shops of which the smaller one is below the gate's floors on every night."""
    small, large = (OneStepShop(n=n) for n in (399, 798))
    return (
        Kind("equal, 400 shoppers", small, 0.0),
        Kind("+10%, 400 shoppers", small, 0.1),
        Kind("+20%, 400 shoppers", small, 0.2),
        Kind("+10%, 800 shoppers", large, 0.1),
    )


def shop_runs(kind: Kind, gate: Gate, seed: int) -> dict[str, NightsRun]:
    """What a shop's nights come to without second looks and with them."""
    run = ShopRun(kind, seed, gate, N_NIGHTS)
    plans = {
        "after 14 days": SecondLookPlan(14),
        "after 14 days, first share .8": SecondLookPlan(14, 0.8),
        "after 14 days, where floors failed": SecondLookPlan(14, None),
    }
    return {OFF: run.run(None)} | {name: run.run(plan) for name, plan in plans.items()}


def second_look_lines(
    apply: Callable[[Callable[[int], Outcomes], Sequence[int]], Sequence[Outcomes]],
    *,
    gate: Gate,
    seeds: Sequence[int],
) -> Iterator[dict[str, object]]:
    """Yield a line for each kind of candidates and plan.

    Args:
        apply: maps a function over seeds, here or in other processes.
        gate: floors and allowance.
        seeds: of runs of normal gains; those of shops take the first tenth.
    """
    for name in CANDIDATES:
        yield from _lines(f"normal gains, {name}", apply(partial(normal_outcomes, name), seeds))
    for kind in shop_kinds():
        yield from _lines(kind.name, apply(partial(shop_runs, kind, gate), seeds[: max(2, len(seeds) // 10)]))


def _lines(log: str, runs: Sequence[Outcomes]) -> Iterator[dict[str, object]]:
    for plan in runs[0]:
        found, without = (np.array([_figures(run[one]) for run in runs]) for one in (plan, OFF))
        wrong, spent, shipped = found.T
        more = shipped - without[:, 2]
        yield {
            "bench": "second_look",
            "log": log,
            "second_look": plan,
            "runs": len(runs),
            "wrong_promotions": round(float(wrong.mean()), 4),
            "wrong_reach95": round(_reach(wrong), 4),
            "levels_spent": round(float(spent.mean()), 4),
            "shipped": round(float(shipped.mean()), 4),
            "shipped_more": round(float(more.mean()), 4),
            "more_reach95": round(_reach(more), 4),
        }


def _figures(run: Outcome | NightsRun) -> tuple[float, float, float]:
    return run.n_wrong, run.spent, run.shipped


def _reach(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Return how far a mean's 95% interval reaches to either side."""
    return float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))
