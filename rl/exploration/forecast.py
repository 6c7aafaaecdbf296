"""In how many nights a verdict comes, with how sure that is: walks of the estimate, looked at every night."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import FloatArray
from rl.exploration.belief import Belief

LONGEST = 365
"""Nights after which nothing is forecast."""
_N_PATHS = 2000
_SEED = 20_260_401


@dataclass(frozen=True)
class NightsForecast:
    """Nights until a look shows the candidate to be better, or worse; infinite beyond a year.

    Attributes:
        median: as likely sooner as later.
        soonest: one in ten is sooner.
        latest: one in ten is later.
        chance: that there is a verdict within a year.
        chance_better: that it says the candidate is better.
    """

    median: float
    soonest: float
    latest: float
    chance: float
    chance_better: float


def forecast_nights(believed: Belief, *, night_variance: float, level: float, first_night: float) -> NightsForecast:
    """Return the forecast of a trial whose nights are pooled and looked at after each.

    The true gain isn't known, only what is believed of it. Per path a gain is drawn and the nights' means with it; a
    verdict is there once the bound of the mean of all nights, at one look's level, leaves 0 behind. Draws are those of
    a fixed seed, so the same night forecasts the same.

    Args:
        believed: of the gain per episode.
        night_variance: of the gain that one night alone tells.
        level: one-sided, of a look; looks at one level every night show one too many sooner or later, which the
            allowance of wrong promotions pays for.
        first_night: before which the gate's floors aren't reached.
    """
    if not (math.isfinite(night_variance) and first_night <= LONGEST):
        return NightsForecast(math.inf, math.inf, math.inf, 0.0, 0.0)
    night = np.arange(1, LONGEST + 1)
    mean = _paths(believed, night_variance) / night
    beyond = np.abs(mean) > float(ndtri(1 - level)) * np.sqrt(night_variance / night)
    beyond &= night >= first_night
    has_verdict, place = beyond.any(axis=1), beyond.argmax(axis=1)
    nights = np.where(has_verdict, night[place], np.inf)
    better = has_verdict & (mean[np.arange(len(mean)), place] > 0)
    soonest, median, latest = (_quantile(nights, level_) for level_ in (0.1, 0.5, 0.9))
    return NightsForecast(median, soonest, latest, float(has_verdict.mean()), float(better.mean()))


def _paths(believed: Belief, night_variance: float) -> FloatArray:
    """Return sums of the nights' gains, `(n_paths, LONGEST)`."""
    generator = np.random.default_rng(_SEED)
    true_gain = believed.mean + believed.spread * ndtri((np.arange(_N_PATHS) + 0.5) / _N_PATHS)
    noise = generator.standard_normal((_N_PATHS, LONGEST)) * math.sqrt(night_variance)
    return np.asarray(np.cumsum(true_gain[:, None] + noise, axis=1))


def _quantile(nights: FloatArray, level: float) -> float:
    return float(np.sort(nights)[min(int(level * len(nights)), len(nights) - 1)])
