"""Whether observations, actions and rewards are still what they were, served day by served day.

Every feature, the choice of actions and the value of episodes give a series of daily figures: means are judged by the
weekday, and whole distributions by a test of the day against the same weekdays of a reference, scipy's. What a test
says is judged by the weekday too: shoppers come back and days have moods, so that its own p-value is no probability
here. The series of a day share what the declared rate of false alarms allows a day (`alarms`), so that what begins
later changes no alarm of the past, and what has ended costs those that go on nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import FloatArray, IntArray
from rl.monitor.alarms import AlarmBank, daily_allowance
from rl.monitor.weekday_scores import WeekdayScores

Kind = Literal["volume", "mean", "shape", "names", "share", "score"]
"""What a series is: how many decisions; a feature's mean; its distribution; how often each name occurs, such as of
actions; a share of decisions that should be small; a score that is standard normal as it stands."""

REFERENCE_WEEKS = 4
"""Weeks that distributions are compared with: the first since the series began."""

MOST_ROWS = 2_000
"""Of a day and of a weekday of the reference; more tell nothing that matters."""

_TWO_SIDED: frozenset[Kind] = frozenset({"volume", "mean"})
_TESTED: frozenset[Kind] = frozenset({"shape", "names"})
_LEAST_EXPECTED = 5.0  # of a cell of a chi-square test (Cochran 1954)
_FARTHEST = 1e-300
_NOTHING = 0.5
"""What a day without a decision counts as, for a logarithm."""


class Series(NamedTuple):
    """A series of daily figures, by what it is and of what."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class ServedDay:
    """What the decisions of one served day showed.

    Attributes:
        day: business day.
        n_decisions: made on it.
        numbers: values by name, of decisions or episodes, each `(n,)`.
        names: codes by name, such as ids of actions, each `(n,)`.
        shares: how many of how many, by name.
        scores: standard normal while nothing changes, by name.
        awaited: series that the day has too, though their figures are still to come, or no longer told.
    """

    day: date
    n_decisions: int
    numbers: Mapping[str, FloatArray] = field(default_factory=dict)
    names: Mapping[str, IntArray] = field(default_factory=dict)
    shares: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    awaited: Set[Series] = frozenset()


@dataclass(frozen=True)
class Change:
    """An alarm: a series isn't what it was. `figure` is the day's, `expected` what its weekday showed before."""

    series: Series
    day: date
    figure: float
    expected: float | None


@dataclass(frozen=True)
class Told:
    """What earlier nights judged and told: it is neither told again nor judged otherwise.

    Attributes:
        alarms: series and days of all that was told.
        until: last day of a series that was judged.
    """

    alarms: Set[tuple[Series, date]]
    until: Callable[[Series], date]

    def settles(self, series: Series, day: date) -> bool | None:
        """Return whether there was an alarm of a series on a day; None where nobody has judged it yet."""
        if (series, day) in self.alarms:
            return True
        return False if day <= self.until(series) else None


@dataclass(frozen=True)
class SeriesState:
    """Where a series stands on the last day.

    Attributes:
        series: which.
        figure: of the last day that had one; None where none had.
        expected: of that weekday before; None where that isn't known yet.
        evidence: share of what an alarm takes, 0 to 1.
    """

    series: Series
    figure: float | None
    expected: float | None
    evidence: float


@dataclass(frozen=True)
class Watch:
    """What came of watching all days.

    Attributes:
        changes: every alarm that no earlier night told, in the order of days.
        states: of all series, the one nearest to an alarm first.
    """

    changes: tuple[Change, ...]
    states: tuple[SeriesState, ...]


def watch(days: Sequence[ServedDay], *, false_alarms_a_year: float, told: Told | None = None) -> Watch:
    """Return the alarms over all days, as if each night had looked at its own.

    Days that aren't given say nothing. A series whose alarm was told begins anew: what it has become is what it is
    judged by from then on.

    Args:
        days: ascending.
        false_alarms_a_year: over all series together, while nothing changes.
        told: by earlier nights; None where none looked.
    """
    had = [_series_of(day) for day in days]
    series = sorted(set().union(*had))
    if not series:
        return Watch((), ())
    bank = AlarmBank(np.array([one.kind in _TWO_SIDED for one in series]))
    is_score = np.array([one.kind == "score" for one in series])
    scores, references = WeekdayScores(len(series)), [_Reference() for _ in series]
    changes: list[Change] = []
    last: list[tuple[float | None, float | None]] = [(None, None)] * len(series)
    for day, own_series in zip(days, had, strict=True):
        weekday, n_sharing = day.day.weekday(), len(own_series | day.awaited)
        found = [_figure(one, day, reference) for one, reference in zip(series, references, strict=True)]
        expected = scores.expected(weekday)
        own = np.array([one.figure for one in found])
        judged = scores.update(
            np.where(is_score, np.nan, own), np.array([one.least_variance for one in found]), weekday
        )
        alarms = bank.update(np.where(is_score, own, judged), daily_allowance(n_sharing, false_alarms_a_year))
        for place, one in enumerate(series):
            if np.isfinite(own[place]):
                last[place] = _shown(one, own[place]), _shown(one, expected[place])
            settled = None if told is None else told.settles(one, day.day)
            if settled is None and alarms[place]:
                changes.append(Change(one, day.day, last[place][0] or 0.0, last[place][1]))
            alarms[place] = alarms[place] if settled is None else settled
            if alarms[place]:
                references[place] = _Reference()
        bank.forget(alarms)
        scores.forget(alarms)
    share = np.minimum(bank.evidence, 1.0)
    order = sorted(range(len(series)), key=lambda place: (-share[place], series[place]))
    return Watch(
        tuple(changes), tuple(SeriesState(series[place], *last[place], float(share[place])) for place in order)
    )


@dataclass
class _Reference:
    """The first weeks of a series, by weekday."""

    weeks: dict[int, list[FloatArray]] = field(default_factory=dict)

    def against(self, weekday: int, values: FloatArray) -> FloatArray | None:
        """Return the reference of the weekday; None while it is being gathered, to which the values then belong."""
        found = self.weeks.setdefault(weekday, [])
        if len(found) < REFERENCE_WEEKS:
            found.append(thinned(values, MOST_ROWS // REFERENCE_WEEKS))
            return None
        return np.concatenate(found)


class _Figure(NamedTuple):
    """A day's figure, NaN where there is none, and what its own sampling makes it vary by at least."""

    figure: float
    least_variance: float


_NONE = _Figure(math.nan, 0.0)


def _series_of(day: ServedDay) -> set[Series]:
    return {
        Series("volume", "decisions"),
        *(Series(kind, name) for name in day.numbers for kind in ("mean", "shape")),
        *(Series("names", name) for name in day.names),
        *(Series("share", name) for name in day.shares),
        *(Series("score", name) for name in day.scores),
    }


def _figure(series: Series, day: ServedDay, reference: _Reference) -> _Figure:
    kind, name = series
    if kind == "volume":
        counted = max(day.n_decisions, _NOTHING)
        return _Figure(math.log(counted), 1 / counted)
    if kind == "score":
        return _Figure(day.scores.get(name, math.nan), 1.0)
    if kind == "share":
        part, whole = day.shares.get(name, (0, 0))
        return _Figure(_arcsine(part, whole), 1 / (4 * whole + 2)) if whole else _NONE
    values = (day.names if kind == "names" else day.numbers).get(name)
    if values is None or len(values) < 2:
        return _NONE
    if kind == "mean":
        return _Figure(float(values.mean()), float(values.var(ddof=1)) / len(values))
    before = reference.against(day.day.weekday(), np.asarray(values, dtype=np.float64))
    if before is None:
        return _NONE
    probability = _same_names(values, before) if kind == "names" else _same_shape(values, before)
    return _Figure(-float(ndtri(min(max(probability, _FARTHEST), 1 - 1e-12))), 1.0)


def _same_shape(values: FloatArray | IntArray, before: FloatArray) -> float:
    """Return the two-sample Kolmogorov-Smirnov test's p-value; with ties it is too large, which is the safe side."""
    from scipy.stats import ks_2samp  # noqa: PLC0415  (takes a second to import; a young series has no test)

    return float(ks_2samp(thinned(values, MOST_ROWS), before, method="asymp").pvalue)


def _same_names(values: FloatArray | IntArray, before: FloatArray) -> float:
    """Return the p-value of a chi-square test that names occur as often as before; rare ones count together."""
    from scipy.stats import chi2_contingency  # noqa: PLC0415  (as above)

    names, codes = np.unique(np.concatenate([before, np.asarray(values, dtype=np.float64)]), return_inverse=True)
    counts = np.array([np.bincount(part, minlength=len(names)) for part in np.split(codes, [len(before)])])
    least = counts.sum(axis=0) * counts.sum(axis=1).min() / counts.sum()
    is_rare = least < _LEAST_EXPECTED
    table = counts[:, ~is_rare]
    if is_rare.any() and (rest := counts[:, is_rare].sum(axis=1)).all():
        table = np.column_stack([table, rest])
    return 1.0 if table.shape[1] < 2 else float(chi2_contingency(table).pvalue)


def thinned(values: FloatArray | IntArray, most: int) -> FloatArray:
    """Return at most so many of the values, evenly chosen in their order, as doubles."""
    stride = max(1, math.ceil(len(values) / most))
    return np.asarray(values[::stride], dtype=np.float64)


def _arcsine(part: int, whole: int) -> float:
    """Return the angle of a share, whose variance hardly depends on it (Anscombe 1948)."""
    return math.asin(math.sqrt((part + 3 / 8) / (whole + 3 / 4)))


def _shown(series: Series, figure: float) -> float | None:
    """Return a figure as people read it: counts and shares as such, tests as normal scores."""
    if not math.isfinite(figure):
        return None
    if series.kind == "volume":
        return math.exp(figure) if figure > math.log(_NOTHING) else 0.0
    return math.sin(figure) ** 2 if series.kind == "share" else float(figure)
