"""What is believed of a gain: what a night saw, drawn to what candidates usually bring."""

from __future__ import annotations

import math
from dataclasses import dataclass

USUAL_GAIN, USUAL_SPREAD = 0.05, 0.1
"""Of candidates that selection chose, as shares of the baseline's value: mean and standard deviation."""


@dataclass(frozen=True)
class Belief:
    """A normal belief.

    Attributes:
        mean: per episode.
        spread: its standard deviation.
    """

    mean: float
    spread: float

    @property
    def size(self) -> float:
        """How far from 0 the gain lies, root mean square; above 0."""
        return math.hypot(self.mean, self.spread)

    @classmethod
    def after(cls, seen: float, standard_error: float, *, value: float, usual: float = USUAL_GAIN) -> Belief:
        """Return the belief after a night: a thin log that saw +80% by chance is not believed.

        Args:
            seen: estimate per episode.
            standard_error: of it.
            value: of the baseline per episode.
            usual: mean before anything is seen, as a share of the value.

        Source: the posterior of a normal mean under a normal prior (Gelman et al. 2013, 2.12).
        """
        scale = max(abs(value), 1e-12)
        known = (USUAL_SPREAD * scale) ** 2
        weight = known / (known + standard_error**2)
        return cls(usual * scale * (1 - weight) + weight * seen, math.sqrt(known * (1 - weight)))
