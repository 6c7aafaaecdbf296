"""Two quiet years of what a monitor watches, many at once: weekly rhythm, moods of days, shoppers who come back.

Distributions are drawn row by row and tested as the monitor tests them; the other series are drawn as their daily
figures are distributed. Moods make days vary by more than their rows do, which a test's own p-value doesn't know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri
from scipy.stats import chi2, distributions

from rl.data.logged_episodes import BoolArray, FloatArray
from rl.monitor.alarms import AlarmBank, daily_allowance
from rl.monitor.weekday_scores import WeekdayScores

N_MEANS, N_SHAPES, N_NAMES, N_SHARES = 14, 4, 2, 1
N_SERIES = 1 + N_MEANS + N_SHAPES + N_NAMES + N_SHARES + 1
"""Volume, means, distributions, choices of actions, a share, and the test of propensities."""

ROWS = 400
"""Of a day's sample in the distributions; the reference of a weekday holds as many."""

LAUNCHED_DAYS = 91
"""For which each version decides, where versions follow one another."""

_MOOD = 0.15
_DECISIONS = 3_000
_FARTHEST = 1e-300


@dataclass(frozen=True)
class QuietYears:
    """Daily figures of many runs.

    Attributes:
        figures: `(n_days, n_runs, N_SERIES)`; NaN where a series has none.
        least_variance: `(n_days, n_runs, N_SERIES)`.
        is_score: series that stand for themselves, `(N_SERIES,)`.
        is_two_sided: `(N_SERIES,)`.
        is_there: days that have the series, `(n_days, N_SERIES)`.
    """

    figures: FloatArray
    least_variance: FloatArray
    is_score: BoolArray
    is_two_sided: BoolArray
    is_there: BoolArray


def quiet_years(n_runs: int, n_days: int, rng: np.random.Generator) -> QuietYears:
    """Return runs in which nothing changes but the weekday."""
    weekday = np.arange(n_days) % 7
    shape = (n_days, n_runs)
    volume = _volume(shape, weekday, rng)
    means = [_means(shape, weekday, rng) for _ in range(N_MEANS)]
    shapes = [_tested(_ks_scores(shape, weekday, rng)) for _ in range(N_SHAPES)]
    names = [_tested(_name_scores(shape, weekday, rng)) for _ in range(N_NAMES)]
    share = _share(shape, weekday, rng)
    score = _tested(-ndtri(np.clip(chi2.sf(rng.chisquare(11, shape), 11), _FARTHEST, 1 - 1e-12)))
    parts = [volume, *means, *shapes, *names, share, score]
    figures, variance = (np.stack([part[place] for part in parts], axis=2) for place in (0, 1))
    is_score = np.zeros(N_SERIES, dtype=bool)
    is_score[-1] = True
    is_two_sided = np.zeros(N_SERIES, dtype=bool)
    is_two_sided[: 1 + N_MEANS] = True
    return QuietYears(figures, variance, is_score, is_two_sided, np.ones((n_days, N_SERIES), dtype=bool))


def years_of_launches(n_runs: int, n_days: int, rng: np.random.Generator) -> QuietYears:
    """Return runs in which nothing changes but which version decides: its own series end, and the next one's begin.

    Three series are a version's own: its choice of actions, and the mean and the distribution of its episodes' values.
    The others go on as in `quiet_years`.
    """
    years = quiet_years(n_runs, n_days, rng)
    own = np.array([1, 1 + N_MEANS, 1 + N_MEANS + N_SHAPES])
    starts = list(range(0, n_days, LAUNCHED_DAYS))
    parts = [_of_version(years.figures[start : start + LAUNCHED_DAYS], start, rng) for start in starts]
    n_launches, n_before = len(starts), N_SERIES - len(own)
    kept = np.setdiff1d(np.arange(N_SERIES), own)
    is_there = np.ones((n_days, n_before + 3 * n_launches), dtype=bool)
    figures = np.full((n_days, n_runs, is_there.shape[1]), np.nan)
    variance = np.ones(figures.shape)
    figures[:, :, :n_before], variance[:, :, :n_before] = years.figures[:, :, kept], years.least_variance[:, :, kept]
    for number, (start, (found, least)) in enumerate(zip(starts, parts, strict=True)):
        place = slice(n_before + 3 * number, n_before + 3 * number + 3)
        figures[start : start + len(found), :, place], variance[start : start + len(found), :, place] = found, least
        is_there[:, place] = False
        is_there[start : start + len(found), place] = True
    return replace(
        years,
        figures=figures,
        least_variance=variance,
        is_score=np.concatenate([years.is_score[kept], np.zeros(3 * n_launches, dtype=bool)]),
        is_two_sided=np.concatenate([years.is_two_sided[kept], np.tile([True, False, False], n_launches)]),
        is_there=is_there,
    )


def _of_version(days: FloatArray, start: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return the figures of a version's own series on the days that it decides on, with their least variance."""
    weekday, shape = (start + np.arange(len(days))) % 7, days.shape[:2]
    parts = [_means(shape, weekday, rng), _tested(_ks_scores(shape, weekday, rng))]
    parts.append(_tested(_name_scores(shape, weekday, rng)))
    found, least = (np.stack([part[place] for part in parts], axis=2) for place in (0, 1))
    return found, least


def alarms_of(years: QuietYears, *, false_alarms_a_year: float) -> BoolArray:
    """Return where there were alarms, `(n_days, n_runs, N_SERIES)`, all series of a run sharing one rate."""
    n_days, n_runs, n_series = years.figures.shape
    two_sided, is_score = np.tile(years.is_two_sided, n_runs), np.tile(years.is_score, n_runs)
    bank = AlarmBank(two_sided)
    scores = WeekdayScores(n_runs * n_series)
    found = np.zeros((n_days, n_runs * n_series), dtype=bool)
    for day in range(n_days):
        own, least = years.figures[day].ravel(), years.least_variance[day].ravel()
        judged = scores.update(np.where(is_score, np.nan, own), least, day % 7)
        allowed = daily_allowance(int(years.is_there[day].sum()), false_alarms_a_year)
        found[day] = bank.update(np.where(is_score, own, judged), allowed)
        bank.forget(found[day])
        scores.forget(found[day])
    return found.reshape(n_days, n_runs, n_series)


def _rhythm(weekday: np.ndarray, size: float) -> FloatArray:
    return size * np.array([0.0, 0.1, -0.2, 0.3, 1.0, 1.6, 0.8])[weekday]


def _volume(shape, weekday, rng):
    mood = rng.normal(0, 0.08, shape)
    counts = rng.poisson(_DECISIONS * np.exp(_rhythm(weekday, 0.25)[:, None] + mood))
    return np.log(np.maximum(counts, 1)), 1 / np.maximum(counts, 1)


def _means(shape, weekday, rng):
    """Means of skewed values of some hundred shoppers, a Gamma law, with moods."""
    n = 300
    expected = 1 + _rhythm(weekday, 0.2)[:, None] + rng.normal(0, 0.05, shape)
    found = rng.gamma(n * 0.5, np.maximum(expected, 0.1) / (n * 0.5), shape)
    return found, np.square(found) / (n * 0.5)


def _share(shape, weekday, rng):
    n = _DECISIONS
    rate = np.clip(rng.beta(3, 600, shape), 1e-5, 1) * np.exp(_rhythm(weekday, 0.1))[:, None]
    part = rng.binomial(n, np.clip(rate, 0, 1))
    return np.arcsin(np.sqrt((part + 3 / 8) / (n + 3 / 4))), np.full(shape, 1 / (4 * n + 2))


def _ks_scores(shape, weekday, rng):
    """Scores of two-sample Kolmogorov-Smirnov tests of each day against the first four of its weekday."""
    n_days, n_runs = shape
    found = np.full(shape, np.nan)
    for run in range(n_runs):
        mood = _MOOD * rng.normal(size=n_days) / 3
        rows = rng.normal(size=(n_days, ROWS)) + (mood + _rhythm(weekday, 0.3))[:, None]
        for day in range(7):
            own = np.flatnonzero(weekday == day)
            if len(own) <= 4:
                continue
            reference = np.sort(rows[own[:4], : ROWS // 4].ravel())
            later = own[4:]
            found[later, run] = _ks_score(np.sort(rows[later], axis=1), reference)
    return found


def _ks_score(days: FloatArray, reference: FloatArray) -> FloatArray:
    n, m = days.shape[1], len(reference)
    above = np.searchsorted(reference, days, side="right") / m
    own = np.arange(1, n + 1) / n
    distance = np.maximum(np.abs(own - above), np.abs(own - 1 / n - above)).max(axis=1)
    probability = distributions.kstwo.sf(distance, np.round(n * m / (n + m)))
    return -ndtri(np.clip(probability, _FARTHEST, 1 - 1e-12))


def _name_scores(shape, weekday, rng):
    """Scores of chi-square tests of the counts of ten actions against the first four of the same weekday."""
    n_days, n_runs = shape
    n, popularity = 1_000, np.array([0.25, 0.2, 0.15, 0.1, 0.08, 0.07, 0.06, 0.04, 0.03, 0.02])
    found = np.full(shape, np.nan)
    for run in range(n_runs):
        mood = np.exp(rng.normal(0, 0.04, (n_days, 10))) * popularity
        counts = rng.multinomial(n, mood / mood.sum(axis=1, keepdims=True))
        for day in range(7):
            own = np.flatnonzero(weekday == day)
            if len(own) <= 4:
                continue
            reference = counts[own[:4]].sum(axis=0) / 2
            found[own[4:], run] = _chi_square_score(counts[own[4:]], reference)
    return found


def _chi_square_score(counts: FloatArray, reference: FloatArray) -> FloatArray:
    total = counts + reference
    n, m = counts.sum(axis=1, keepdims=True), reference.sum()
    expected, other = total * n / (n + m), total * m / (n + m)
    statistic = (np.square(counts - expected) / expected + np.square(reference - other) / other).sum(axis=1)
    return -ndtri(np.clip(chi2.sf(statistic, counts.shape[1] - 1), _FARTHEST, 1 - 1e-12))


def _tested(scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    return scores, np.ones(scores.shape)
