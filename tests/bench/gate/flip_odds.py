"""How rare a flag of close calls can be that misses few flips, where how far trainings differ is known.

No log is drawn: by how many standard errors a gain is beyond its bound is a normal number over logs, of standard
deviation 1, to which each training adds its own. What is found this way is the best that a flag by distance can do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

_BEYOND_ALL = 12.0
"""Standard deviations that hold all of a normal law."""


@dataclass(frozen=True)
class FlipOdds:
    """Logs of one kind of shop, each trained on twice.

    Attributes:
        power: share of first trainings that pass, above 0 and below 1.
        move: standard deviation of the gain's lower bound over trainings on one log, in the gain's standard errors.
    """

    power: float
    move: float

    @property
    def flips(self) -> float:
        """Share of logs on which the second training turns the verdict."""
        return self.unflagged_flips(0.0)

    def unflagged_flips(self, reach: float) -> float:
        """Return the share of logs turned though the first training was farther from the bound than `reach`."""
        return self._turned_beyond(reach, 1.0) + self._turned_beyond(reach, -1.0)

    def flagged(self, reach: float) -> float:
        """Return the share of logs whose first training is within `reach` of the bound, in standard errors."""
        return float(norm.cdf(reach, self._mean, self._spread) - norm.cdf(-reach, self._mean, self._spread))

    def least_flagged(self, missed: float) -> float:
        """Return the share of logs that have to be flagged so that no more than `missed` of all turn unflagged."""
        if self.flips <= missed:
            return 0.0
        farthest = _BEYOND_ALL * self._spread + abs(self._mean)
        return self.flagged(float(brentq(lambda reach: self.unflagged_flips(reach) - missed, 0.0, farthest)))

    @property
    def _spread(self) -> float:
        return float(np.hypot(1.0, self.move))

    @property
    def _mean(self) -> float:
        return float(self._spread * norm.ppf(self.power))

    def _turned_beyond(self, reach: float, side: float) -> float:
        """Return the share of logs whose first training is beyond `reach` on a side, and the second on the other."""
        share = 1.0 / self._spread**2
        left = self._spread * np.sqrt(1.0 - share**2)

        def turned(first: float) -> float:
            second = self._mean + share * (first - self._mean)
            return float(norm.pdf(first, self._mean, self._spread) * norm.cdf(-side * second / left))

        end = side * (reach + _BEYOND_ALL * self._spread + abs(self._mean))
        found, _ = quad(turned, min(side * reach, end), max(side * reach, end), points=[self._mean], limit=200)
        return float(found)


def odds_line(power: float, moves: tuple[float, ...], missed: float) -> dict[str, object]:
    """Return how often verdicts turn at that power, and how many have to be flagged, by how far trainings differ."""
    found = [FlipOdds(power, move) for move in moves]
    return {
        "bench": "gate",
        "log": "two trainings, normal gains",
        "power": power,
        "moves": list(moves),
        "flips": [round(one.flips, 4) for one in found],
        "missed": missed,
        "least_flagged": [round(one.least_flagged(missed), 4) for one in found],
    }
