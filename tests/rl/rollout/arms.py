"""Arms of shoppers, made up."""

from __future__ import annotations

import numpy as np

from rl.rollout.comparison import StageUnits


def made_units(
    n: int = 20_000, *, share: float = 0.25, gain: float = 0.0, seed: int = 0, sharpness: float = 1.0
) -> StageUnits:
    """Shoppers who came within five days, of lasting worth: later ones were seen for a shorter time."""
    generator = np.random.default_rng(seed)
    worth = generator.gamma(1.0, 1.0, n)
    entry = generator.integers(0, 5, n)
    is_new = generator.random(n) < share
    value = generator.poisson(worth * (5 - entry) * np.where(is_new, 1 + gain, 1.0)).astype(np.float64)
    before = generator.poisson(20 * worth * sharpness).astype(np.float64)
    return StageUnits(is_new, entry, value, before)
