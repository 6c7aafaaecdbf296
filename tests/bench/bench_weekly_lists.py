"""Weekly lists of the simulated shop: is the budget kept in every week, and what does the price of money cost?

For each seed a policy of linear values is learned from a log of its own, and priced once, on validation weeks. Then
the same policy decides fifty weeks at five budgets, without training or pricing again. Beside the lists stands the best
price in hindsight: the same policy, played in the same shop at many prices, at the one of the most true profit whose
true mean commitment is within the budget. Prints a JSON line for each seed and budget, and a last one with all.
"""

from __future__ import annotations

import json
import os
import time

import numpy as np

from rl.logs import configure_logs
from tests.bench.weekly_list_trial import JUDGED_WEEKS, play_lists, play_price, pricing_of, trained_policy

SHARES = (0.5, 0.75, 1.0, 1.5, 2.0)
BUDGET = 500_000_000
N_SEEDS, N_PRICES = 5, 30


def main(n_seeds: int) -> None:
    """All seeds and budgets are played and reported."""
    configure_logs("console")
    rows = [row for seed in range(1, n_seeds + 1) for row in _rows(seed)]
    summary = {
        "bench": "weekly_lists",
        "n_weeks": JUDGED_WEEKS * len(rows),
        "weeks_beyond_budget": sum(int(row["weeks_beyond_budget"]) for row in rows),
        "share_of_best_price": {
            share: round(float(np.mean([row["share_of_best_price"] for row in rows if row["share"] == share])), 4)
            for share in SHARES
        },
        "least_share": min(row["share_of_best_price"] for row in rows),
    }
    print(json.dumps(summary), flush=True)


def _rows(seed: int) -> list[dict[str, float]]:
    policy = pricing_of(trained_policy(seed), seed, BUDGET)
    assert policy.prices is not None
    path_prices, path_spend = np.array(policy.prices.path_prices), np.array(policy.prices.path_spend)
    # Evenly spaced in what they commit, which descends along the path.
    levels = np.linspace(path_spend[-1], path_spend[0], N_PRICES)
    prices = np.unique(np.append(0.0, np.interp(-levels, -path_spend, path_prices))).tolist()
    played = [play_price(policy, price, seed) for price in prices]
    rows = []
    for share in SHARES:
        started, budget = time.process_time(), round(share * BUDGET)
        lists = play_lists(policy, seed, budget)
        # Shopper-weeks differ from week to week, while the budget doesn't: both are compared by their totals.
        allowed = budget / 1e6 * JUDGED_WEEKS
        within = [one for one in played if one.committed.sum() <= allowed]
        best = max(within, key=lambda one: float(one.profit.sum())) if within else played[-1]
        mine = lists.truth.mean("profit").value
        row = {
            "bench": "weekly_lists",
            "seed": seed,
            "share": share,
            "weekly_budget": budget / 1e6,
            "most_committed": int(lists.committed.max()) / 1e6,
            "mean_committed": round(float(lists.committed.mean()) / 1e6, 2),
            "weeks_beyond_budget": int((lists.committed > budget).sum()),
            "profit": round(mine, 4),
            "best_price_profit": round(best.mean("profit").value, 4),
            "difference_error": round(lists.truth.above(best).standard_error, 4),
            "share_of_best_price": round(mine / best.mean("profit").value, 4),
            "seconds": round(time.process_time() - started, 1),
        }
        print(json.dumps(row), flush=True)
        rows.append(row)
    return rows


if __name__ == "__main__":
    main(int(os.environ.get("SEEDS", N_SEEDS)))
