"""Writes the golden values of ordering formulas, by `stockpyl` in a throwaway environment.

Run from the repository: `<environment>/bin/python tests/golden/make_inventory_values.py`.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from stockpyl.newsvendor import newsvendor_discrete, newsvendor_poisson  # type: ignore[import-not-found,unused-ignore]
from stockpyl.ss import s_s_discrete_exact  # type: ignore[import-not-found,unused-ignore]

# A demand with two humps, which no formula for one family fits.
HUMPS = [0.2, 0.05, 0.02, 0.13, 0.1, 0.05, 0.0, 0.15, 0.2, 0.1]
# s_s_discrete_exact reads beyond the last probability unless zeros follow.
PADDED = HUMPS + [0.0] * (100 - len(HUMPS))
POISSON = [(1, 4, 5), (1, 9, 5), (1, 39, 5), (0.18, 0.7, 50), (2, 3, 0.4), (1, 19, 15), (1, 9, 20)]
ORDER_COSTS = [(1, 4, 5, 6), (1, 9, 20, 5), (0.5, 3, 64, 10), (2, 2, 1, 3), (1, 19, 100, 4)]


def main() -> None:
    values = {
        "made_by": f"stockpyl {version('stockpyl')}",
        "newsvendor_poisson": [
            {"holding": h, "penalty": p, "mean": mean, "level": int(newsvendor_poisson(h, p, mean)[0])}
            for h, p, mean in POISSON
        ],
        "newsvendor_humps": [
            {
                "holding": h,
                "penalty": p,
                "probabilities": HUMPS,
                "level": int(newsvendor_discrete(h, p, demand_pmf=dict(enumerate(HUMPS)))[0]),
            }
            for h, p in [(1, 1.5), (1, 3), (1, 9), (1, 20)]
        ],
        "reorder_point_poisson": [
            dict(zip(("point", "level", "cost"), map(float, s_s_discrete_exact(h, p, k, True, mean)), strict=True))
            | {"holding": h, "penalty": p, "order_cost": k, "mean": mean}
            for h, p, k, mean in ORDER_COSTS
        ],
        "reorder_point_humps": [
            dict(
                zip(
                    ("point", "level", "cost"),
                    map(float, s_s_discrete_exact(h, p, k, False, demand_hi=99, demand_pmf=PADDED)),
                    strict=True,
                )
            )
            | {"holding": h, "penalty": p, "order_cost": k, "probabilities": HUMPS}
            for h, p, k in [(1, 4, 5), (1, 9, 30)]
        ],
    }
    path = Path(__file__).parent / "inventory_values.json"
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
