"""Nights in a row on a window of a log that slides by a day, with one fixed candidate, at the levels that nights spend.

The log goes on under the same policy, whatever is promoted, so that every promotion is one over the same baseline.
With second looks a run goes as nights do: a candidate whose gain stands out and that a floor on weights alone kept
back is looked at again so many days later, by the sessions since, at the whole level of its night; one at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cache, cached_property

import numpy as np
from scipy.stats import chi2
from scipy.stats import t as student_t

from conf.specs.judging import Gate
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.gate.alpha_spending import DAYS_PER_YEAR, Look, night_level
from rl.gate.rules import Decision
from rl.gate.second_look import is_short_of_sessions
from tests.bench.gate.fast_sessions import NightFigures, Sessions, fitted_q, night_figures, verdict_of
from tests.bench.gate.nights import split
from tests.bench.gate.shop import candidate

N_NIGHTS, WINDOW_DAYS = 60, 14
TRAIN_DAYS = 40
SESSIONS_A_DAY = (100, 50, 25)
"""Of the logs; a window of the last one is below the floors on most nights."""
PLANS: Mapping[str, int | None] = {"none": None, "after 14 days": 14, "after 28 days": 28}
"""Second looks: `gate.second_look_days` of the nights."""

FIRST_NIGHT = date(2026, 1, 1)
FIRST_SEED = 50_000_000


@dataclass(frozen=True)
class RunCount:
    """What a run came to.

    Attributes:
        n_promoted: promotions, by first looks and second ones.
        n_second: of them by second looks.
        n_declared: second looks that were declared.
        n_short: nights whose first look spent nothing, for a floor on weights.
        spent: sum of all levels: the wrong promotions to be expected at most.
    """

    n_promoted: int
    n_second: int
    n_declared: int
    n_short: int
    spent: float


@dataclass(frozen=True)
class _Trial:
    night: int
    level: float


@dataclass(frozen=True)
class SessionRun:
    """The days of one log, and the nights that look at them.

    Attributes:
        run: number, from which the log's seeds follow.
        per_day: sessions.
        gate: floors and allowance.
        gain: true gain of the candidate, as a share.
        n_nights: of the run.
    """

    run: int
    per_day: int
    gate: Gate
    gain: float = 0.0
    n_nights: int = N_NIGHTS

    @cached_property
    def logs(self) -> tuple[LoggedEpisodes, LoggedEpisodes]:
        """Training sessions, and those of all days after them."""
        seed, n_days = FIRST_SEED + 10 * self.run, WINDOW_DAYS + N_NIGHTS - 1
        return split(TRAIN_DAYS * self.per_day, seed), split(n_days * self.per_day, seed + 1)

    @cached_property
    def _sessions(self) -> tuple[Sessions, Sessions]:
        train, whole = self.logs
        return Sessions.of(candidate(self.gain), train), Sessions.of(candidate(self.gain), whole)

    @cached_property
    def _q(self) -> FloatArray:
        return fitted_q(candidate(self.gain), self._sessions[0])[0]

    @cached_property
    def _figures(self) -> list[NightFigures]:
        return [self.first_look(night) for night in range(self.n_nights)]

    def days(self, first: int, last: int) -> Sessions:
        """Return the sessions from the day `first` to before `last`."""
        return self._sessions[1].part(first * self.per_day, last * self.per_day)

    def first_look(self, night: int) -> NightFigures:
        """Return a night's figures, by its window."""
        window = self.days(night, night + WINDOW_DAYS)
        return night_figures(candidate(self.gain), [self._sessions[0]], window, self._q)

    def second_look(self, declared: int, after_days: int) -> NightFigures:
        """Return the figures by the days since the night of the first look, whose window counts among the losses."""
        seen, ends = self.days(declared, declared + WINDOW_DAYS), declared + WINDOW_DAYS
        before = [self._sessions[0], seen]
        return night_figures(candidate(self.gain), before, self.days(ends, ends + after_days), self._q)

    def count(self, after_days: int | None) -> RunCount:
        """Return what the nights come to, each at the level that those before it left; None for no second looks."""
        looks: list[Look] = []
        n_promoted = n_second = n_declared = n_short = 0
        trial: _Trial | None = None
        for night, figures in enumerate(self._figures):
            is_due = trial is not None and after_days is not None and night == trial.night + after_days
            if is_due and trial is not None and after_days is not None:
                n_second += self._passes_again(trial, after_days)
                trial = None
            level = night_level(self.gate.wrong_promotions_per_year, _day(night), looks).level
            evidence, verdict = verdict_of(figures, gate=self.gate, alpha=level, seed=night)
            n_promoted += verdict.decision is Decision.PROMOTE
            n_short += not verdict.spends_level
            spent = level if verdict.spends_level else 0.0
            may_declare = after_days is not None and trial is None and not is_due
            if may_declare and is_short_of_sessions(verdict, evidence):
                trial, n_declared, spent = _Trial(night, level), n_declared + 1, level
            looks.append(Look(_day(night), spent, night))
        return RunCount(n_promoted + n_second, n_second, n_declared, n_short, sum(look.level for look in looks))

    def _passes_again(self, trial: _Trial, after_days: int) -> bool:
        figures = self.second_look(trial.night, after_days)
        _, verdict = verdict_of(figures, gate=self.gate, alpha=trial.level, seed=N_NIGHTS + trial.night)
        return verdict.decision is Decision.PROMOTE


@cache
def _day(night: int) -> date:
    return FIRST_NIGHT + timedelta(days=night)


def counted_run(per_day: int, run: int, gate: Gate) -> dict[str, dict[str, float]]:
    """Return what a run with an equal candidate comes to, by plan of second looks."""
    found = SessionRun(run, per_day, gate)
    return {plan: asdict(found.count(after_days)) for plan, after_days in PLANS.items()}


def consecutive_line(per_day: int, plan: str, runs: Sequence[Mapping[str, float]], gate: Gate) -> dict[str, object]:
    """Return the line of such logs and a plan: promotions a run, all of them wrong, beside those allowed.

    `spent_less_promoted` is the mean of what a run spent less what it promoted, with its standard error: no less than
    nothing in expectation, if levels hold.
    """
    promotions = np.array([run["n_promoted"] for run in runs], dtype=np.float64)
    left = np.array([run["spent"] for run in runs]) - promotions
    means = {name: round(float(np.mean([run[name] for run in runs])), 4) for name in runs[0]}
    return {
        "bench": "gate",
        "log": f"{N_NIGHTS} consecutive nights, windows of {WINDOW_DAYS} days",
        "sessions_a_day": per_day,
        "candidate": "equal",
        "second_look": plan,
        "runs": len(runs),
        "wrong_promotions": means.pop("n_promoted"),
        "upper95": round(upper_mean(promotions), 4),
        "allowed": round(gate.wrong_promotions_per_year * N_NIGHTS / DAYS_PER_YEAR, 4),
        "runs_with_any": round(float((promotions > 0).mean()), 4),
        "spent_less_promoted": round(float(left.mean()), 4),
        "spent_less_promoted_se": round(float(left.std(ddof=1) / np.sqrt(len(left))), 4),
        **means,
    }


def upper_mean(promotions: FloatArray) -> float:
    """Return the one-sided 95% bound of the mean: the larger of the exact one of Poisson counts and of Student's."""
    n, total = len(promotions), float(promotions.sum())
    exact = float(chi2.ppf(0.95, 2 * (total + 1))) / (2 * n)
    reach = float(student_t.ppf(0.95, n - 1)) * float(promotions.std(ddof=1)) / np.sqrt(n)
    return max(exact, total / n + reach)
