"""Alarms with a declared rate: over all series and all days together, at most so many false ones a year.

Each series is a sequence of daily scores that are standard normal, given the days before, while nothing changes. A
Shiryaev-Roberts detector sums over all days on which a change may have begun how much likelier the scores since then
are after it than before it. Here each day counts by its allowance, the false alarms that the day may cost the series:
while nothing changes, the sum less what was allowed so far is a martingale. With an alarm where the sum reaches 1,
after which the series begins anew, the expected number of false alarms is at most what was allowed, for each series,
whatever depends on whatever among them, and whatever series begin and end. A day's allowances depend on that day alone,
so that no later day changes what was an alarm.

Source: Shiryaev (1963); Roberts (1966); Shin, Ramdas and Rinaldo (2023), E-detectors, theorem 2.4, the days weighted;
the number of alarms by optional stopping of the same martingale.
"""

from __future__ import annotations

import numpy as np

from rl.data.logged_episodes import BoolArray, FloatArray
from rl.errors import EvaluationError

DAYS_PER_YEAR = 365

SHIFTS = (0.5, 1.0, 2.0, 3.0)
"""Changes that are looked for, in standard deviations of a day's score, each as likely as the others."""

LARGEST_SCORE = 6.0
"""A score beyond counts as this one: a single wild day is an alarm by itself all the same."""


def daily_allowance(n_series: int, false_alarms_a_year: float) -> float:
    """Return how many false alarms a day may cost each of so many series, which share the declared rate.

    Raises:
        EvaluationError: no series, or a rate that isn't above 0.
    """
    if n_series < 1 or not false_alarms_a_year > 0:
        raise EvaluationError(
            f"alarms need a series and a rate above 0, got {n_series} series and {false_alarms_a_year} a year"
        )
    return false_alarms_a_year / DAYS_PER_YEAR / n_series


class AlarmBank:
    """Detectors of many series, fed day by day.

    Attributes:
        evidence: for a change in each series, `(n_series,)`; where it reaches 1 there is an alarm.
    """

    def __init__(self, is_two_sided: BoolArray) -> None:
        """Begin with no evidence.

        Args:
            is_two_sided: whether falls count like rises; else rises alone do, `(n_series,)`.
        """
        self._shifts = np.array([*SHIFTS, *(-shift for shift in SHIFTS)])
        counted = np.ones((len(is_two_sided), len(self._shifts)))
        counted[~is_two_sided, len(SHIFTS) :] = 0.0
        self._share = counted / counted.sum(axis=1, keepdims=True)
        self._sums = np.zeros(counted.shape)

    @property
    def evidence(self) -> FloatArray:
        """The mean over the shifts that are looked for, `(n_series,)`."""
        return np.asarray((self._sums * self._share).sum(axis=1))

    def update(self, scores: FloatArray, allowance: FloatArray | float) -> BoolArray:
        """Take a day's scores, and return where the evidence makes an alarm; `forget` begins anew with a series.

        Args:
            scores: `(n_series,)`; NaN where a series has none on the day, which then says nothing.
            allowance: false alarms that the day may cost each series, `(n_series,)` or the same for all.
        """
        known = np.isfinite(scores)
        score = np.clip(np.where(known, scores, 0.0), -LARGEST_SCORE, LARGEST_SCORE)[:, None]
        likelier = np.exp(self._shifts * score - np.square(self._shifts) / 2)
        allowed = np.broadcast_to(allowance, known.shape)[:, None]
        self._sums = np.where(known[:, None], (allowed + self._sums) * likelier, self._sums)
        return np.asarray(self.evidence >= 1.0)

    def forget(self, series: BoolArray) -> None:
        """Begin anew with some series, `(n_series,)`."""
        self._sums[series] = 0.0
