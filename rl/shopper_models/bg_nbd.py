"""BG/NBD: shoppers buy at their own steady rates until, after some purchase, they stop for good.

Source: Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from conf.kernel.arrays import BoolArray
from rl.errors import TrainingError
from rl.shopper_models.daily_activity import FloatArray

_PENALTY = 1e-6  # keeps parameters finite where the likelihood has a ridge


@dataclass(frozen=True)
class Repeats:
    """What BG/NBD knows of shoppers, each `(n,)`, in one unit of time.

    Attributes:
        frequency: repeat purchases: those after the first; -1 where there was none at all.
        recency: time from the first purchase to the last one.
        age: time from the first purchase to now.
    """

    frequency: FloatArray
    recency: FloatArray
    age: FloatArray

    def rows(self, kept: BoolArray) -> Repeats:
        """Return the rows that are kept."""
        return Repeats(self.frequency[kept], self.recency[kept], self.age[kept])


@dataclass(frozen=True)
class BgNbd:
    """The model's parameters: rates are gamma distributed (`r`, `alpha`), chances of stopping beta (`a`, `b`)."""

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, repeats: Repeats) -> FloatArray:
        """Return each shopper's log likelihood, `(n,)`. Source: equation 6."""
        x, recency, age = repeats.frequency, repeats.recency, repeats.age
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        common = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        alive = betaln(a, b + x) - betaln(a, b) - (r + x) * np.log(alpha + age)
        repeated = np.maximum(x, 1.0)
        stopped = betaln(a + 1, b + repeated - 1) - betaln(a, b) - (r + x) * np.log(alpha + recency)
        found: FloatArray = common + np.where(x > 0, np.logaddexp(alive, stopped), alive)
        return found

    def probability_alive(self, repeats: Repeats) -> FloatArray:
        """Return the probability that shoppers have not stopped, `(n,)`; 1 before any repeat purchase."""
        x = np.maximum(repeats.frequency, 1.0)
        log_odds = (
            (self.r + x) * np.log((self.alpha + repeats.age) / (self.alpha + repeats.recency))
            + np.log(self.a)
            - np.log(self.b + x - 1)
        )
        return np.where(repeats.frequency > 0, np.exp(-np.logaddexp(0.0, log_odds)), 1.0)

    def probability_of_any(self, repeats: Repeats, horizon: float) -> FloatArray:
        """Return the probability of at least one purchase within the horizon, `(n,)`.

        Shoppers stop after purchases alone, so that whoever is alive makes the next one at the own rate.
        """
        shape = self.r + repeats.frequency
        none = np.exp(-shape * np.log1p(horizon / (self.alpha + repeats.age)))
        return self.probability_alive(repeats) * (1.0 - none)

    def expected_purchases(self, repeats: Repeats, horizon: float) -> FloatArray:
        """Return the expected purchases within the horizon, `(n,)`. Source: equation 10."""
        x, age = repeats.frequency, repeats.age
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        z = horizon / (alpha + age + horizon)
        hypergeometric = hyp2f1(r + x, b + x, a + b + x - 1, z)
        shrunk = np.exp((r + x) * np.log((alpha + age) / (alpha + age + horizon)))
        found: FloatArray = (a + b + x - 1) / (a - 1) * (1 - shrunk * hypergeometric)
        return found * self.probability_alive(repeats)


def fit_bg_nbd(repeats: Repeats) -> BgNbd:
    """Return the parameters that make the repeats likeliest.

    Raises:
        TrainingError: no shoppers, times that can't be, or a likelihood without a maximum.
    """
    x, recency, age = repeats.frequency, repeats.recency, repeats.age
    if not len(x) or (x < 0).any() or (recency > age).any() or (recency < 0).any():
        raise TrainingError("BG/NBD needs shoppers with a first purchase, and 0 <= recency <= age")
    if not (x > 0).any():
        raise TrainingError("BG/NBD needs a repeat purchase; nobody has any")
    scale = max(float(age.max()) / 50.0, 1e-9)  # parameters of like size, whatever the unit of time
    scaled = Repeats(x, recency / scale, age / scale)

    def loss(logs: FloatArray) -> float:
        r, alpha, a, b = np.exp(logs)
        return float(-BgNbd(r, alpha, a, b).log_likelihood(scaled).mean() + _PENALTY * (logs**2).sum())

    starts = (np.array([0.0, 1.0, 0.0, 1.0]), np.array([-1.0, 1.5, -0.5, 1.0]), np.array([0.5, 0.0, -2.0, 0.5]))
    bounds = [(-12.0, 12.0)] * 4
    found = [minimize(loss, start, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}) for start in starts]
    best = min(found, key=lambda one: float(one.fun))
    if not np.isfinite(best.fun):
        raise TrainingError("BG/NBD: the likelihood has no maximum on these shoppers")
    r, alpha, a, b = (float(one) for one in np.exp(best.x))
    return BgNbd(r, alpha * scale, a, b)
