"""Losses that the test split happened to miss: the gain's lower bound, lowered by the losses of all splits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtrit

from rl.gate.split_contributions import SplitContributions
from rl.ope.intervals.intervals import Interval

_LOSS_SHARE = 0.05
"""Share of the test split's units whose parts in the gain count as losses, the lowest ones."""

_UNSEEN = 3.0
"""Three in n: what strikes less often than that leaves no trace in n shoppers by a chance of one in twenty."""


@dataclass(frozen=True)
class SplitLosses:
    """What the losses of all splits say beside those of the test split.

    Attributes:
        shift: by how much losses cost more per episode in all splits than in the test split; 0 or more.
        standard_error: of the gain, where losses vary as in that of the two in which they vary more.
        n_units: of the test split.
        n_differing: units of all splits for which candidate and baseline decide differently, effectively.
    """

    shift: float
    standard_error: float
    n_units: int
    n_differing: float

    @property
    def rarest(self) -> float | None:
        """Share of the differing units that a loss must strike to be seen but for a chance of .05; None beyond all.

        Source: the rule of three (Hanley and Lippman-Hand 1983).
        """
        share = _UNSEEN / self.n_differing if self.n_differing > 0 else math.inf
        return share if share < 1 else None


def split_losses(found: SplitContributions) -> SplitLosses:
    """Return how much more losses cost in all splits than in the test split, and how much they vary.

    With c a unit's part in the gain and t the 5% quantile of the test split's, losses are L = min(c - t, 0) and the
    rest is M = max(c, t). A test split without the few shoppers whom a candidate costs much looks both richer and surer
    than it is, and no interval made of it alone knows of them; the training and validation splits, three quarters of
    a log, hold three times as many. The shift is the mean of L over the test split less that over all, per episode,
    where that is above 0; the variance is that of M, plus the larger variance of L, plus twice their covariance, which
    is -E[L] (E[M] - t), since one of the two is constant wherever the other isn't.

    Don't trust it where the candidate was learned from the same losses: it avoids those it has seen, and what is left
    is rarer than it looks.
    """
    test = found.contribution[found.is_test]
    threshold = float(np.quantile(test, _LOSS_SHARE))
    loss = np.minimum(found.contribution - threshold, 0.0)
    usual, seen = np.maximum(test, threshold), loss[found.is_test]
    n_test = found.n_episodes[found.is_test]
    of_all, of_test = loss.sum() / found.n_episodes.sum(), seen.sum() / n_test.sum()
    per_unit = float(n_test.mean())
    together = -min(of_all, of_test) * per_unit * (float(usual.mean()) - threshold) * len(test) / (len(test) - 1)
    variance = usual.var(ddof=1) + max(loss.var(ddof=1), seen.var(ddof=1)) + 2 * together
    return SplitLosses(
        shift=max(0.0, float(of_test - of_all)),
        standard_error=math.sqrt(float(variance) / len(test)) / per_unit,
        n_units=len(test),
        n_differing=found.n_differing,
    )


def lowered(interval: Interval, losses: SplitLosses, *, alpha: float, extra_standard_error: float = 0.0) -> Interval:
    """Return the interval with the lesser of its own lower bound and that by the losses of all splits.

    It is only ever lowered, so a promotion stays as rare as the level says.

    Args:
        interval: of the gain, from the test split alone.
        losses: of all splits.
        alpha: one-sided level of the bound.
        extra_standard_error: from estimated propensities, which the losses' error doesn't hold.
    """
    error = math.hypot(losses.standard_error, extra_standard_error)
    bound = interval.value - losses.shift - float(stdtrit(losses.n_units - 1, 1 - alpha)) * error
    if not bound < interval.lower:
        return interval
    return replace(interval, lower=bound, method=f"{interval.method}, lowered by the losses of all splits")
