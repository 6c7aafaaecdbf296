"""Launches behind the gate, and what they earn: an honest system, simulated in the simplest way that has its traps.

Candidates of many true gains are judged on a night's shoppers, whose values are skewed; those whose lower bound lies
above 0 are launched, with the gate's own correction for luck. Then shoppers come back for some weeks, each held out or
not, and the monitor's own arithmetic says what was earned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray
from rl.gate.corrected_gain import corrected_gain
from rl.monitor.promise import PromisedGain, promise_score, standing
from rl.monitor.realised import (
    GainInfluences,
    RunningGain,
    ServedEpisodes,
    gain_influences,
    gain_interval,
    running_gains,
)
from rl.ope.intervals.intervals import student_interval
from rl.ope.intervals.sums import mean_sums

NIGHT_SHOPPERS = 1_500
SERVED_SHOPPERS, SERVED_DAYS, VISITS_A_DAY = 8_000, 28, 0.12
CONTROL_SHARE = 0.3
RETURNING = 1_000
"""Shoppers of the trial of looks, half of whom arrive on some day in its course."""

ALPHA = 0.01
"""One-sided level of the night's look."""

SPREAD = 1.0
"""Standard deviation of what the two policies differ by on a shopper."""


@dataclass(frozen=True)
class Launched:
    """One launch: its promise, what it truly gains, what was seen of it, whether any day called it broken, by whom."""

    promise: PromisedGain
    truth: float
    earned: RunningGain
    score: float
    is_ever_broken: bool
    influences: GainInfluences


def judged(truth: float, rng: np.random.Generator) -> PromisedGain | None:
    """Return the promise of a candidate of that gain that passes the gate; None for one that doesn't."""
    values = truth + SPREAD * (rng.gamma(1.0, 1.0, NIGHT_SHOPPERS) - 1.0)
    sums = mean_sums(values, np.arange(NIGHT_SHOPPERS), np.arange(NIGHT_SHOPPERS))
    found = student_interval(sums, level=1 - 2 * ALPHA)
    if found.lower <= 0:
        return None
    return PromisedGain(found.value, corrected_gain(sums, found), found.lower, found.upper, 1 - ALPHA)


@dataclass(frozen=True)
class Clientele:
    """Shoppers of a shop: how much each spends beside others, and whether one is held out, for all launches alike."""

    loyalty: FloatArray
    is_champion: BoolArray


def clientele(rng: np.random.Generator) -> Clientele:
    """Return the shoppers of a shop."""
    is_champion = rng.random(SERVED_SHOPPERS) >= CONTROL_SHARE
    return Clientele(rng.gamma(8.0, 1 / 8, SERVED_SHOPPERS), is_champion)


def served(truth: float, shoppers: Clientele, rng: np.random.Generator) -> ServedEpisodes:
    """Return some weeks of episodes of shoppers who come back, a share of them held out; levels have a season."""
    is_champion, loyalty = shoppers.is_champion, shoppers.loyalty
    visits = rng.random((SERVED_SHOPPERS, SERVED_DAYS)) < VISITS_A_DAY
    shopper, day = np.nonzero(visits)
    level = 2.0 + 0.5 * np.sin(np.arange(SERVED_DAYS) / 5) + 0.3 * (np.arange(SERVED_DAYS) % 7 > 4)
    value = level[day] * loyalty[shopper] * rng.gamma(1.0, 1.0, len(day)) + truth * is_champion[shopper]
    return ServedEpisodes(
        day=day + 739_000,
        shopper=shopper,
        arm=is_champion[shopper].astype(np.int64),
        arms=("control", "champion"),
        value=value,
        is_settled=np.ones(len(day), dtype=bool),
        is_weighed=np.zeros(len(day), dtype=bool),
    )


def launch(rng: np.random.Generator, shoppers: Clientele | None = None) -> Launched:
    """Return one launch: candidates are tried until one passes; most of them gain little or nothing.

    Args:
        rng: of chance.
        shoppers: of the shop; None for new ones.
    """
    while True:
        truth = 0.0 if rng.random() < 0.5 else float(rng.normal(0.08, 0.08))
        promise = judged(truth, rng)
        if promise is not None:
            break
    episodes = served(truth, shoppers or clientele(rng), rng)
    gains = list(running_gains(episodes, "champion", "control"))
    looks = [gain_interval(one, level=0.95, planned_error=promise.standard_error) for one in gains]
    is_broken = any(standing(promise, one) == "broken" for one in looks)
    influences = gain_influences(episodes, "champion", "control")
    return Launched(promise, truth, gains[-1], promise_score(promise, looks[-1]), is_broken, influences)


def ledger(rng: np.random.Generator, n_launches: int) -> list[Launched]:
    """Return launches of one shop, one after the other: the same shoppers, of whom the same are always held out."""
    shoppers = clientele(rng)
    return [launch(rng, shoppers) for _ in range(n_launches)]


def covariance(launches: Sequence[Launched]) -> FloatArray:
    """Return the covariance of the earned gains of each two launches of one shop, `(n, n)`."""
    return np.array([[one.influences.covariance(other.influences) for other in launches] for one in launches])


def looks_that_miss(rng: np.random.Generator, n_days: int, truth: float = 0.0) -> tuple[bool, bool]:
    """Return whether bounds for all days, and bounds for one alone, miss the true gain on any of so many days."""
    n, n_control = RETURNING, int(RETURNING * CONTROL_SHARE)
    is_champion = np.arange(n) >= n_control
    comes, loyalty = rng.beta(0.8, 4.0, n), rng.gamma(2.0, 0.5, n)
    arrives = np.where(rng.random(n) < 0.5, 0, rng.integers(0, n_days, n))
    shopper, day = np.nonzero((rng.random((n, n_days)) < comes[:, None]) & (np.arange(n_days) >= arrives[:, None]))
    value = (2.0 + 0.3 * (day % 7 > 4)) * loyalty[shopper] * rng.gamma(1.0, 1.0, len(day)) + truth * is_champion[
        shopper
    ]
    episodes = ServedEpisodes(
        day=day + 739_000,
        shopper=shopper,
        arm=is_champion[shopper].astype(np.int64),
        arms=("control", "champion"),
        value=value,
        is_settled=np.ones(len(day), dtype=bool),
        is_weighed=np.zeros(len(day), dtype=bool),
    )
    gains: FloatArray = np.array(
        [(one.value, one.standard_error) for one in running_gains(episodes, "champion", "control")]
    )[3:]
    plan = float(gains[0, 1]) / 2
    intervals = [
        gain_interval(RunningGain(None, value, error, 0.0, 0.0, 2), level=0.95, planned_error=plan)  # type: ignore[arg-type]
        for value, error in gains
    ]
    missed = any(not one.lower <= truth <= one.upper for one in intervals)
    return missed, bool((np.abs(gains[:, 0] - truth) > 1.96 * gains[:, 1]).any())
