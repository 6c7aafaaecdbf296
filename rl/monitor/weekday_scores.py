"""A day's figure against those of the same weekdays before it, as a score that a weekly rhythm doesn't move.

The figure of a day is predicted by the mean of its weekday so far. Such one-step errors, each divided by how uncertain
its prediction was, are independent with one variance while nothing changes but the weekday; so each over the spread of
those before it follows Student's law exactly, if figures are normal, and its normal score is standard normal given
the days before.

Source: recursive residuals (Brown, Durbin and Evans 1975) of a regression on weekdays.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, stdtr

from rl.data.logged_episodes import BoolArray, FloatArray

WEEKDAYS = 7
LEAST_DEGREES = 14
"""Errors that must have been seen before a day is judged: two weeks after the first."""

_FARTHEST = 1e-300


class WeekdayScores:
    """Scores of many series, fed day by day."""

    def __init__(self, n_series: int) -> None:
        self._n = np.zeros((n_series, WEEKDAYS))
        self._mean = np.zeros((n_series, WEEKDAYS))
        self._squares = np.zeros(n_series)
        self._degrees = np.zeros(n_series)

    def expected(self, weekday: int) -> FloatArray:
        """Return what a weekday is predicted to show, `(n_series,)`; NaN where it wasn't seen yet."""
        return np.where(self._n[:, weekday] > 0, self._mean[:, weekday], np.nan)

    def update(self, figures: FloatArray, least_variance: FloatArray, weekday: int) -> FloatArray:
        """Return the day's scores, `(n_series,)`, and learn from the day; NaN while too few days were seen.

        Args:
            figures: of the day, `(n_series,)`; NaN where there is none.
            least_variance: what the day's own sampling makes a figure vary by at least, `(n_series,)`: where days
                happened to be alike, nothing less is believed.
            weekday: 0 Monday to 6 Sunday.
        """
        known = np.isfinite(figures)
        n, mean = self._n[:, weekday].copy(), self._mean[:, weekday].copy()
        has_before = known & (n > 0)
        error = np.where(has_before, (np.nan_to_num(figures) - mean) / np.sqrt(1 + 1 / np.maximum(n, 1)), 0.0)
        is_judged = has_before & (self._degrees >= LEAST_DEGREES)
        variance = np.maximum(self._squares / np.maximum(self._degrees, 1), np.nan_to_num(least_variance))
        scores = np.where(is_judged, _normal_score(_over(error, np.sqrt(variance)), self._degrees), np.nan)
        self._squares += np.square(error)
        self._degrees += has_before
        self._n[:, weekday] = n + known
        learned = mean + (np.nan_to_num(figures) - mean) / np.maximum(n + 1, 1)
        self._mean[:, weekday] = np.where(known, learned, mean)
        return np.asarray(scores)

    def forget(self, series: BoolArray) -> None:
        """Begin anew with some series, `(n_series,)`: what they have become is what they are judged by from now on."""
        for part in (self._n, self._mean, self._squares, self._degrees):
            part[series] = 0.0


def _over(error: FloatArray, spread: FloatArray) -> FloatArray:
    """Return the error in spreads; where there is no spread at all, 0 for no error and else infinity."""
    whole = np.where(error == 0, 0.0, np.copysign(np.inf, error))
    return np.divide(error, spread, out=whole, where=spread > 0)


def _normal_score(student: FloatArray, degrees: FloatArray) -> FloatArray:
    """Return the normal quantile of Student's probability, by its smaller tail: large ones keep their digits."""
    tail = np.maximum(stdtr(np.maximum(degrees, 1), -np.abs(student)), _FARTHEST)
    return np.asarray(np.copysign(-ndtri(tail), student))
