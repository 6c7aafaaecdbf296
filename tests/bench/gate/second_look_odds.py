"""Runs of nights in which a gain is a normal number: what a second look promotes and ships, by the gate's own levels.

No log is drawn and no floor asked: a day adds what its sessions say of the gain, and a look passes where the gain over
its days is beyond the bound of its level. So thousands of nights take seconds, and only the levels are on trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from rl.gate.alpha_spending import Look, night_level
from rl.gate.second_look import LEAST_SURENESS, split_level

FIRST_NIGHT = date(2026, 1, 1)
TEST_DAYS = 7


@dataclass(frozen=True)
class Plan:
    """When the second look comes, what the first one may spend, and which sessions the second reads.

    Attributes:
        after_days: from the first look to the second.
        first_share: of the night's level, for the first look.
        reads: sessions unseen at the first look; `pooled` adds those of the first, which is wrong and shown for that.
    """

    after_days: int = 14
    first_share: float = 0.5
    reads: Literal["unseen", "pooled"] = "unseen"


@dataclass(frozen=True)
class Candidates:
    """The candidates of a run's nights.

    Attributes:
        sureness: expected standard errors of the gain over a test split of seven days; 0 for no gain.
        spread: standard deviation of that among a run's candidates.
        alike: correlation of what two nights' candidates earn on the same day; 1 for one fixed candidate.
    """

    sureness: float = 0.0
    spread: float = 0.0
    alike: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        n_wrong: promotions of candidates that are no better.
        n_second: promotions by second looks.
        n_declared: second looks that were declared.
        spent: sum of all levels.
        shipped: mean over the nights of the gain in force, of the first promotion on, in units of `sureness`.
    """

    n_wrong: int
    n_second: int
    n_declared: int
    spent: float
    shipped: float


@dataclass(frozen=True)
class _Trial:
    night: int
    level: float


class Run:
    """The days of one run as each night's candidate would earn on them; plans are tried on the same ones."""

    def __init__(self, candidates: Candidates, seed: int, *, n_nights: int = 60) -> None:
        rng = np.random.default_rng(seed)
        n_days = TEST_DAYS + n_nights - 1
        own = rng.normal(size=(n_nights, n_days)) * np.sqrt(1 - candidates.alike)
        noise = own + rng.normal(size=n_days) * np.sqrt(candidates.alike)
        self.n_nights = n_nights
        self.sureness = candidates.sureness + candidates.spread * rng.normal(size=n_nights)
        self.days: NDArray[np.float64] = noise + self.sureness[:, None] / np.sqrt(TEST_DAYS)

    def outcome(self, plan: Plan | None, *, per_year: float = 4) -> Outcome:
        """What the run comes to under the plan; None for no second looks."""
        looks: list[Look] = []
        promoted: list[tuple[int, int]] = []
        trial, n_second, n_declared = None, 0, 0
        for night in range(self.n_nights):
            is_due = plan is not None and trial is not None and night == trial.night + plan.after_days
            if plan is not None and trial is not None and is_due:
                if self._passes_again(trial, plan):
                    promoted.append((night, trial.night))
                    n_second += 1
                trial = None
            level = night_level(per_year, _day(night), looks)
            split = split_level(level, plan.first_share) if plan is not None and trial is None and not is_due else None
            spent = level.level if split is None else split.first.level
            found = _sureness(self.days[night, night : night + TEST_DAYS])
            if found > norm.ppf(1 - spent):
                promoted.append((night, night))
            elif split is not None and found >= LEAST_SURENESS:
                trial, n_declared, spent = _Trial(night, split.second), n_declared + 1, level.level
            looks.append(Look(_day(night), spent, night + 1))
        return self._told(promoted, looks, n_second, n_declared)

    def _passes_again(self, trial: _Trial, plan: Plan) -> bool:
        seen = trial.night + TEST_DAYS
        first = seen if plan.reads == "unseen" else trial.night
        return bool(_sureness(self.days[trial.night, first : seen + plan.after_days]) > norm.ppf(1 - trial.level))

    def _told(
        self, promoted: Sequence[tuple[int, int]], looks: Sequence[Look], n_second: int, n_declared: int
    ) -> Outcome:
        served = [(night, float(self.sureness[one])) for night, one in promoted[:1]]
        return Outcome(
            n_wrong=sum(self.sureness[one] <= 0 for _, one in promoted),
            n_second=n_second,
            n_declared=n_declared,
            spent=sum(look.level for look in looks),
            shipped=sum(gain * (self.n_nights - 1 - night) / self.n_nights for night, gain in served),
        )


def _sureness(days: NDArray[np.float64]) -> float:
    """Return the gain over these days in its standard errors."""
    return float(days.sum() / np.sqrt(len(days)))


def _day(night: int) -> date:
    return FIRST_NIGHT + timedelta(days=night)
