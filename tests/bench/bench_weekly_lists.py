"""Weekly lists of the simulated shop: is the budget kept in every week, and what does the price of money cost?

For each seed a policy of linear values is learned from a log of its own, and priced once, on validation weeks. Then
the same policy decides fifty weeks at five budgets, without training or pricing again. Beside the lists stands the best
price: the same policy, played in the same shop at many prices, at the one of the most true profit whose true mean
commitment is within the budget. Of many prices one is the best by luck alone; so each truth is compared at the price
that is best in the other truths, and `share_in_hindsight` is what the price that was best in the same ones makes of it.
Prints a JSON line for each seed and budget, and a last one with all. Run by `make bench-weekly-lists`:

- `SEEDS=5`: policies.
- `TRUTHS=4`: how often each is played, with shoppers of their own; more of them tell smaller differences.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence

import numpy as np

from rl.logs import configure_logs
from rl.shops.promotion.true_value import PolicyTruth
from tests.bench.weekly_list_trial import JUDGED_WEEKS, play_lists, play_price, pooled, pricing_of, trained_policy

SHARES = (0.5, 0.75, 1.0, 1.5, 2.0)
BUDGET = 500_000_000
N_SEEDS, N_TRUTHS, N_PRICES = 5, 4, 30
TRUTH_STEP = 100
"""Between the seeds of a policy's truths, so that no two policies meet the same shoppers."""


def main(n_seeds: int, n_truths: int) -> None:
    """All seeds and budgets are played and reported."""
    configure_logs("console")
    rows = [row for seed in range(1, n_seeds + 1) for row in _rows(seed, n_truths)]
    summary = {
        "bench": "weekly_lists",
        "n_weeks": JUDGED_WEEKS * n_truths * len(rows),
        "weeks_beyond_budget": sum(int(row["weeks_beyond_budget"]) for row in rows),
        "share_of_best_price": {
            share: round(float(np.mean([row["share_of_best_price"] for row in rows if row["share"] == share])), 4)
            for share in SHARES
        },
        "least_share": min(row["share_of_best_price"] for row in rows),
        "least_share_in_hindsight": min(row["share_in_hindsight"] for row in rows),
    }
    print(json.dumps(summary), flush=True)


def _rows(seed: int, n_truths: int) -> list[dict[str, float]]:
    policy = pricing_of(trained_policy(seed), seed, BUDGET)
    assert policy.prices is not None
    path_prices, path_spend = np.array(policy.prices.path_prices), np.array(policy.prices.path_spend)
    # Evenly spaced in what they commit, which descends along the path.
    levels = np.linspace(path_spend[-1], path_spend[0], N_PRICES)
    prices = np.unique(np.append(0.0, np.interp(-levels, -path_spend, path_prices))).tolist()
    truths = [seed + TRUTH_STEP * place for place in range(n_truths)]
    played = [[play_price(policy, price, truth) for truth in truths] for price in prices]
    rows = []
    for share in SHARES:
        started, budget = time.process_time(), round(share * BUDGET)
        lists = [play_lists(policy, truth, budget) for truth in truths]
        mine, committed = pooled([one.truth for one in lists]), np.concatenate([one.committed for one in lists])
        best = pooled([played[_best_elsewhere(played, place, budget)][place] for place in range(n_truths)])
        hindsight = pooled(played[_best(played, range(n_truths), budget)])
        profit, best_profit = mine.mean("profit").value, best.mean("profit").value
        row = {
            "bench": "weekly_lists",
            "seed": seed,
            "share": share,
            "weekly_budget": budget / 1e6,
            "most_committed": int(committed.max()) / 1e6,
            "mean_committed": round(float(committed.mean()) / 1e6, 2),
            "best_price_committed": round(float(best.committed.sum()) / (JUDGED_WEEKS * n_truths), 2),
            "weeks_beyond_budget": int((committed > budget).sum()),
            "profit": round(profit, 4),
            "best_price_profit": round(best_profit, 4),
            "difference_error": round(mine.above(best).standard_error, 4),
            "share_of_best_price": round(profit / best_profit, 4),
            "share_error": round(mine.above(best).standard_error / best_profit, 4),
            "share_in_hindsight": round(profit / hindsight.mean("profit").value, 4),
            "seconds": round(time.process_time() - started, 1),
        }
        print(json.dumps(row), flush=True)
        rows.append(row)
    return rows


def _best(played: Sequence[Sequence[PolicyTruth]], places: Sequence[int], budget: int) -> int:
    """Return the price, by its place, of the most profit in some truths whose mean commitment is within the budget."""
    # Shopper-weeks differ from week to week, while the budget doesn't: both are compared by their totals.
    allowed = budget / 1e6 * JUDGED_WEEKS * len(places)
    there = [pooled([truths[place] for place in places]) for truths in played]
    within = [place for place, one in enumerate(there) if one.committed.sum() <= allowed]
    return max(within, key=lambda place: float(there[place].profit.sum())) if within else len(played) - 1


def _best_elsewhere(played: Sequence[Sequence[PolicyTruth]], place: int, budget: int) -> int:
    """Return the best price by all truths but one; by that one where there is no other."""
    others = [one for one in range(len(played[0])) if one != place]
    return _best(played, others or [place], budget)


if __name__ == "__main__":
    main(int(os.environ.get("SEEDS", N_SEEDS)), int(os.environ.get("TRUTHS", N_TRUTHS)))
