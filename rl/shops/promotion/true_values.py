"""The true values of the fixed policies of a shop, as a file beside its logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from rl.shops.promotion.fixed_policies import fixed_policies
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.true_value import Measure, PolicyTruth, true_policy_value

TRUE_VALUES_FILE = "true_values.json"
N_SHOPPERS = 4000

_MEASURES: tuple[Measure, ...] = get_args(Measure)


def judged_weeks(settings: PromotionSettings) -> tuple[int, int]:
    """Return how many weeks pass under the behavior policy, and how many are judged after them."""
    lead_weeks = settings.n_weeks // 3
    return lead_weeks, settings.n_weeks - lead_weeks


def true_values(settings: PromotionSettings, *, n_shoppers: int = N_SHOPPERS, seed: int = 0) -> dict[str, Any]:
    """Return the measures of each fixed policy per shopper-week, and its gain over the behavior policy.

    Args:
        settings: the shop.
        n_shoppers: drawn afresh, the same for all policies.
        seed: of the truth's own chance.
    """
    lead_weeks, n_weeks = judged_weeks(settings)
    truths = {
        name: true_policy_value(
            settings, policy, lead_weeks=lead_weeks, n_weeks=n_weeks, n_shoppers=n_shoppers, seed=seed
        )
        for name, policy in fixed_policies(settings).items()
    }
    return {
        "lead_weeks": lead_weeks,
        "n_weeks": n_weeks,
        "n_shoppers": n_shoppers,
        "seed": seed,
        "policies": {name: _figures(truth, truths["behavior"]) for name, truth in truths.items()},
    }


def write_true_values(out: Path, settings: PromotionSettings) -> None:
    """Write the true values to `true_values.json` in the shop's folder."""
    content = json.dumps(true_values(settings), indent=2)
    (out / TRUE_VALUES_FILE).write_text(content + "\n", encoding="utf-8")


def _figures(truth: PolicyTruth, behavior: PolicyTruth) -> dict[str, dict[str, float]]:
    found = {measure: vars(truth.mean(measure)) for measure in _MEASURES}
    return found | {"gain_over_behavior": vars(truth.above(behavior))}
