"""Each launch's promise beside what it earned, and all of them in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations

import numpy as np

from rl.figures.monitor import Earned, InCommon, LaunchFigures, LedgerFigures, Promised
from rl.monitor.ledger import calibration, do_they_predict
from rl.monitor.promise import PromisedGain, Standing, promise_score, standing
from rl.monitor.realised import (
    GainInfluences,
    RunningGain,
    ServedEpisodes,
    gain_influences,
    gain_interval,
    planned_error,
    running_gains,
)
from rl.monitor.served_rows import CONTROL
from rl.ope.intervals.intervals import Interval

NOBODY_HELD_OUT = (
    "no shopper is held out as control (exploration.control_holdout), so that nobody can know what would have been "
    "earned without it"
)


@dataclass(frozen=True)
class WatchedLaunch:
    """A launch as it is watched.

    Attributes:
        version: in the registry.
        policy_version: under which its decisions are logged; None where that isn't known.
        night: date of the night that registered it; None where an earlier release didn't say.
        promise: gain over the control group; None where none was made.
        ended: day on which it stopped being served; None while it is served.
        end: how it ended, in words.
        shares: of the shoppers who get it, each with the first whole business day on which it was in force, ascending;
            none where earlier releases launched it, for all shoppers.
    """

    version: int
    policy_version: str | None
    night: date | None
    promise: PromisedGain | None
    ended: date | None = None
    end: str = ""
    shares: tuple[tuple[date, float], ...] = ()

    @property
    def arm(self) -> str:
        """Name of the arm of its episodes."""
        return arm_of(self.version)

    def share_on(self, day: date) -> float:
        """Return the share of the shoppers who got it on a whole day on which it was served."""
        before = [share for first, share in self.shares if first <= day]
        return before[-1] if before else 1.0


@dataclass(frozen=True)
class Outcome:
    """What a launch earned.

    Attributes:
        gains: after each settled day.
        intervals: of these, in their order.
        standing: of its promise; broken where any look says so, since bounds hold at all of them together.
        broken_on: first day that says so.
        influences: of shoppers on the last gain; None where there is none.
    """

    gains: tuple[RunningGain, ...]
    intervals: tuple[Interval, ...]
    standing: Standing
    broken_on: date | None
    influences: GainInfluences | None = None

    @property
    def is_shown_to_gain(self) -> bool:
        """Whether the last bounds lie above 0."""
        return bool(self.intervals) and self.intervals[-1].lower > 0


def arm_of(version: int) -> str:
    """Return the name of the arm of a version's episodes."""
    return f"version {version}"


def outcome(episodes: ServedEpisodes, launch: WatchedLaunch, *, level: float) -> Outcome:
    """Return what the launch earned over the control group on settled days on which nothing served was changed.

    Args:
        episodes: of all served days.
        launch: whose.
        level: of bounds that hold at all days together, two-sided.
    """
    settled = episodes.take(episodes.is_settled).counted_for(launch.arm)
    gains = [one for one in running_gains(settled, launch.arm, CONTROL) if one.standard_error > 0]
    if not gains:
        return Outcome((), (), "open", None)
    promise = launch.promise
    plan = planned_error(None if promise is None else promise.standard_error, gains)
    intervals = tuple(gain_interval(one, level=level, planned_error=plan) for one in gains)
    influences = gain_influences(settled, launch.arm, CONTROL)
    if promise is None:
        return Outcome(tuple(gains), intervals, "open", None, influences)
    found = [standing(promise, one) for one in intervals]
    broken_on = next((gain.day for gain, one in zip(gains, found, strict=True) if one == "broken"), None)
    return Outcome(tuple(gains), intervals, found[-1] if broken_on is None else "broken", broken_on, influences)


def launch_figures(episodes: ServedEpisodes, launch: WatchedLaunch, found: Outcome) -> LaunchFigures:
    """Return the launch's promise beside what it earned."""
    own = episodes.of(launch.arm)
    promise = launch.promise
    earned = score = None
    if found.intervals:
        last, interval = found.gains[-1], found.intervals[-1]
        earned = Earned(
            value=interval.value,
            lower=interval.lower,
            upper=interval.upper,
            standard_error=interval.standard_error,
            n_days=len(found.gains),
            n_shoppers=last.n_shoppers,
        )
        score = None if promise is None else promise_score(promise, interval)
    return LaunchFigures(
        version=launch.version,
        policy_version=launch.policy_version,
        launched=own.days[0] if len(own) else launch.night,
        ended=launch.ended,
        end=launch.end,
        promised=None
        if promise is None
        else Promised(
            value=promise.value,
            corrected=promise.corrected,
            lower=promise.lower,
            upper=promise.upper,
            level=promise.level,
        ),
        earned=earned,
        standing=found.standing,
        score=score,
        is_final=launch.ended is not None and bool(len(own)) and bool(own.is_settled.all()),
        refusal=None if earned is not None else _refusal(episodes, launch),
    )


def _refusal(episodes: ServedEpisodes, launch: WatchedLaunch) -> str:
    if launch.policy_version is None:
        return "it isn't known under which name its decisions were logged"
    if not len(episodes.of(launch.arm)):
        return "it has decided nothing on the days that are published"
    if not len(episodes.of(CONTROL)):
        return NOBODY_HELD_OUT
    if (own := episodes.of(launch.arm).days) and set(own) <= set(episodes.cut.get(launch.arm, {})):
        return "every day on which it decided counts for nobody, since what is served was changed on it"
    return "no day is settled yet on which both it and the control group had episodes"


def with_final(found: Sequence[LaunchFigures], earlier: Mapping[int, LaunchFigures]) -> tuple[LaunchFigures, ...]:
    """Return the launches, those that an earlier night found final as they were found: their days may be gone since."""
    return tuple(
        earlier[one.version]
        if one.version in earlier and earlier[one.version].is_final and not one.is_final and one.ended is not None
        else one
        for one in found
    )


def in_common(
    launches: Sequence[LaunchFigures], outcomes: Mapping[int, Outcome], earlier: Sequence[InCommon] = ()
) -> tuple[InCommon, ...]:
    """Return for each two launches what their earned gains share: shoppers, above all those of the control group.

    Args:
        launches: whose gains are compared.
        outcomes: of launches, by version.
        earlier: as an earlier night found it, for launches whose days may be gone since.
    """
    known = {frozenset((one.first, one.second)): one.covariance for one in earlier}
    found = []
    for first, second in combinations(sorted(one.version for one in launches if one.earned is not None), 2):
        parts = [outcomes[one].influences if one in outcomes else None for one in (first, second)]
        if parts[0] is not None and parts[1] is not None:
            found.append(InCommon(first=first, second=second, covariance=parts[0].covariance(parts[1])))
        elif (covariance := known.get(frozenset((first, second)))) is not None:
            found.append(InCommon(first=first, second=second, covariance=covariance))
    return tuple(found)


def ledger_figures(
    launches: Sequence[LaunchFigures], common: Sequence[InCommon] = (), *, level: float, reward_unit: str
) -> LedgerFigures:
    """Return all launches with their calibration; only those with both a promise and a gain that was seen count."""
    promised, earned, place = list[float](), list[float](), dict[int, int]()
    for one in launches:
        if one.promised is not None and one.earned is not None:
            place[one.version] = len(promised)
            promised.append(one.promised.value if one.promised.corrected is None else one.promised.corrected)
            earned.append(one.earned.value)
    covariance = np.full((len(place), len(place)), np.nan)
    for pair in common:
        if pair.first in place and pair.second in place:
            covariance[place[pair.first], place[pair.second]] = pair.covariance
            covariance[place[pair.second], place[pair.first]] = pair.covariance
    found = calibration(np.array(promised), np.array(earned), covariance, level=level)
    return LedgerFigures(
        launches=tuple(launches),
        n_compared=found.n_launches,
        calibration=found.value,
        lower=found.lower,
        upper=found.upper,
        level=level,
        sentence=do_they_predict(found),
        reward_unit=reward_unit,
        in_common=tuple(common),
        n_unknown_pairs=int(np.isnan(covariance).sum() - len(place)) // 2,
    )
