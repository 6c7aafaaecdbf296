"""What one network gains at each of several temperatures, told by all of them together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray

_DEPARTURE = 0.1
"""How far a true gain lies from what the Q-function's gains say of its share, as a share of the largest estimate."""

_LEAST_SHARE = 0.3
"""Below it a share says less of the gain the smaller it is: there a Q-function's errors are as large as its gains."""

_BY_ITSELF = 1e6
"""The largest departure, as a share of the largest estimate: each gain is its own estimate."""


@dataclass(frozen=True)
class TemperatureGains:
    """Gains over the behavior policy, one for each temperature.

    Attributes:
        gain: expected true gain, `(n,)`.
        error: its standard deviation, `(n,)`.
    """

    gain: FloatArray
    error: FloatArray


def temperature_gains(gain: FloatArray, covariance: FloatArray, predicted: FloatArray) -> TemperatureGains:
    """Return what the estimates at all temperatures together say of the true gain at each.

    The sharper a policy, the fewer shoppers speak for it, and the further its estimate strays: ranked each by itself,
    the temperature wins whose estimate was lucky. But one network's gains rise and fall together. By what share, a
    Q-function says, whose errors most temperatures have in common. So true gains are r_t c + d_t, with r_t the
    predicted gain over the largest, and departures d_t of a standard deviation of a tenth of the largest estimate, or
    as many times more as the least share is below .3. What temperatures say of c, gain over share, is averaged by
    precision, each by itself: weights that minded how estimates err together could be below 0, and end outside of all
    that was estimated where shares are a little off (Peelle's pertinent puzzle). The error of c does mind it. Each gain
    is then drawn from r_t c towards its own estimate by d^2 / (d^2 + error^2).

    So each stands by itself, the more the nearer a predicted gain is to 0, and altogether where one isn't above it.

    Args:
        gain: estimated, `(n,)`.
        covariance: of the estimates, `(n, n)`.
        predicted: by a Q-function, in the same unit, `(n,)`.

    Source: Gelman et al. (2013), Bayesian Data Analysis, section 5.4 (normal means around a common one).
    """
    variance = np.diag(covariance)
    if not (np.isfinite(covariance).all() and (variance > 0).all() and (predicted > 0).all()):
        return TemperatureGains(gain, np.sqrt(variance))
    share = predicted / predicted.max()
    doubt = max(1.0, _LEAST_SHARE / max(float(share.min()), np.finfo(np.float64).tiny))
    departure = np.square(min(_DEPARTURE * doubt, _BY_ITSELF) * np.abs(gain).max())
    precision = np.square(share) / (variance + departure)
    weight = precision / precision.sum()
    common = float(weight @ (gain / share))
    of_common = float((weight / share) @ (covariance + departure * np.eye(len(gain))) @ (weight / share))
    own = departure / (departure + variance)
    expected = share * common + own * (gain - share * common)
    spread = own * variance + np.square((1 - own) * share) * of_common
    return TemperatureGains(expected, np.sqrt(spread))
