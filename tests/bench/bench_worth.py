"""Whether the worth-it assessment says the right thing of simulated shops whose answer is known, over several logs.

The standard shop's shoppers get bored and leave, so looking ahead pays there; in the flat one, what is shown changes
nothing but its own reward. Prints a JSON line for each shop's truth, one for each seed and shop, and a last one with
the right answers. Run by `make bench-worth`.
"""

from __future__ import annotations

import json
import sys
import time

from rl.logs import configure_logs
from rl.shops.settings_file import changed_settings
from tests.bench.worth_trial import RIGHT_ANSWERS, SHOPS, assess_shop, true_share_reached

N_SEEDS = 5


def main(n_seeds: int = N_SEEDS, first_seed: int = 1) -> None:
    """All seeds are tried and reported, in both shops."""
    configure_logs("console")
    for shop, settings in SHOPS.items():
        share, error = true_share_reached(settings)
        print(
            json.dumps(
                {
                    "bench": "worth",
                    "shop": shop,
                    "true_share_reached": round(share, 4),
                    "standard_error": round(error, 4),
                }
            ),
            flush=True,
        )
    seeds = range(first_seed, first_seed + n_seeds)
    rows = [_try(shop, seed) for seed in seeds for shop in SHOPS]
    right = {shop: sum(bool(row["is_right"]) for row in rows if row["shop"] == shop) for shop in SHOPS}
    print(json.dumps({"bench": "worth", "summary": {"right": right, "of": n_seeds}}))


def _try(shop: str, seed: int) -> dict[str, object]:
    started = time.process_time()
    found = assess_shop(changed_settings(SHOPS[shop], seed=seed))
    row: dict[str, object] = {
        "bench": "worth",
        "shop": shop,
        "seed": seed,
        "answer": found.answer,
        "is_right": found.answer == RIGHT_ANSWERS[shop],
        "share_reached": None if found.comparison is None else found.comparison.share_reached.model_dump(),
        "share_handed": None if found.comparison is None else found.comparison.share_handed,
        "p_future": None if found.future_effect is None else found.future_effect.response.p_value,
        "farthest": None if found.movement is None else found.movement.farthest.model_dump(),
        "nights_for_two_percent": None
        if found.visibility is None
        else [{"added": row.added_exploration} | row.nights.model_dump() for row in found.visibility.rows],
        "cpu_seconds": round(time.process_time() - started, 1),
        "sentence": found.sentence,
    }
    print(json.dumps(row), flush=True)
    return row


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
