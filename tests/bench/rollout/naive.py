"""The comparison that a rollout must not make: pooled means since the launch, under a share that grew meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.bench.rollout.launches import Shop, ShopDays


def pooled_gain(shop: Shop, generator: np.random.Generator, shares: Sequence[float], days_each: int) -> float:
    """Return the relative difference of pooled means a visit of a version that is no better, while its share grows.

    Days late in a launch weigh more in the new arm than in the other, and are other days: what a season does to them
    is taken for the version's doing.
    """
    days = ShopDays(shop, generator, 0.0)
    lots = generator.random(shop.n_shoppers)
    sums, visits = np.zeros(2), np.zeros(2)
    for number in range(days_each * len(shares)):
        gets_new = lots < shares[number // days_each]
        came, brought = days.day(number, gets_new)
        arm = gets_new[came].astype(np.int64)
        sums += np.bincount(arm, brought, minlength=2)
        visits += np.bincount(arm, minlength=2)
    mean = sums / visits
    return float(mean[1] / mean[0] - 1)
