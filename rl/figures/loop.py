"""loop.json's figures: what policies were worth on each day of a loop, what was promised, and what was earned.

Values are in the scenario's reward unit; None means that it isn't known.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from conf.specs.strict_yaml import StrictModel
from rl.figures.values import LevelSpread, Spread
from rl.figures.verdict import Outcome


class Known(StrictModel):
    """A true value by playing, with its standard error."""

    value: float
    standard_error: float


class Earned(StrictModel):
    """A mean by what was served, with its standard error by unit, and the number of episodes."""

    value: float
    standard_error: float
    n_episodes: int


class LoopDay(StrictModel):
    """A day of the loop.

    version: of the champion that decided; None where the shop did by its own rule. share: of the shoppers it decided
    for, control aside. behavior, champion, best: true
    values of the first behavior policy, of the champion, and of the best policy there is, on this day. served: what
    episodes earned whose decisions the champion made. control: those that the shop's own rule decided.
    """

    date: date
    version: int | None
    share: float = 1.0
    behavior: Known | None
    champion: Known | None
    best: Known | None = None
    served: Earned | None = None
    control: Earned | None = None


class LoopNight(StrictModel):
    """A night of the loop; gain and truth are over `compared_with`. seconds: of the whole night.

    interval: of the gain, at the confidence of reports. gain: between the bounds that the gate judged by, whose
    two-sided level is gain_level: far beyond that on most nights. Nights of an earlier release have gain alone.
    promised, earned: gain of what is served, as promised, and as monitored so far. rollout: what the day's look at a
    launch did. alerts: new ones.
    """

    date: date
    verdict: Outcome
    version: int | None
    compared_with: str | None
    gain: Spread | None
    gain_level: float | None = None
    interval: LevelSpread | None = None
    true_gain: float | None
    is_promoted: bool
    seconds: float
    promised: float | None = None
    earned: Spread | None = None
    rollout: str | None = None
    alerts: tuple[str, ...] = ()

    @property
    def is_held(self) -> bool | None:
        """Whether what is shown holds the true gain; None where one of them isn't known."""
        if self.shown is None or self.true_gain is None:
            return None
        return self.shown.lower <= self.true_gain <= self.shown.upper

    @property
    def shown(self) -> Spread | None:
        """The gain's interval; its bounds as the gate judged by them, where there is none."""
        return self.gain if self.interval is None else self.interval


class NightSeconds(StrictModel):
    """How long nights took; slowest_date: of the slowest. n_nights: whose seconds are known."""

    median: float
    slowest: float
    slowest_date: date
    n_nights: int


class Held(StrictModel):
    """In how many nights an interval held the true gain, of how many where both are known."""

    held: int
    of: int


class LoopFigures(StrictModel):
    """A loop's days and nights.

    of, gain_of: what values, and gains, are of, such as `a session`.
    final_gain: of the version that decided on the last day over the first behavior policy, in truth; of sessions over
    all days after the first night, with a 95% interval of the playing, else over the days that the version decided.
    None where the shop's own rule decided on that day, or on too few days to tell. worse: versions that lowered the
    true value by more than 2% of what they replaced, as they began to decide. untold: versions of which that isn't
    known. level: of intervals. seconds_a_night: of all nights, whenever the loop was stopped and went on.
    """

    scenario: str
    scenario_title: str
    source: str
    seed: int
    reward_unit: str
    level: float
    of: str
    gain_of: str
    days: tuple[LoopDay, ...]
    nights: tuple[LoopNight, ...]
    final_gain: Spread | None
    worse: tuple[int, ...] = ()
    untold: tuple[int, ...] = ()
    seconds_a_night: NightSeconds | None = None

    @property
    def promoted(self) -> tuple[LoopNight, ...]:
        """Nights whose version became champion."""
        return tuple(night for night in self.nights if night.is_promoted)

    @property
    def is_shared(self) -> bool:
        """Whether on any day the champion decided for a share of the shoppers alone."""
        return any(day.share < 1 for day in self.days)

    @property
    def watched(self) -> bool:
        """Whether any night held what was served against what was promised."""
        return any(night.promised is not None or night.earned is not None for night in self.nights)

    @property
    def held(self) -> Held:
        """How many judged nights' intervals at `level` held the true gain."""
        return _held(night for night in self.nights if night.interval is not None)

    @property
    def held_as_judged(self) -> Held:
        """How many bounds of the gate did, of the nights that kept no such interval."""
        return _held(night for night in self.nights if night.interval is None)


def _held(nights: Iterable[LoopNight]) -> Held:
    known = [night.is_held for night in nights if night.is_held is not None]
    return Held(held=sum(known), of=len(known))
