"""loop.json's figures: what policies were worth on each day of a loop, what was promised, and what was earned.

Values are in the scenario's reward unit; None means that it isn't known.
"""

from __future__ import annotations

from datetime import date

from conf.specs.strict_yaml import StrictModel
from rl.figures.values import Spread
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

    promised, earned: gain of what is served, as promised, and as monitored so far. rollout: what the day's look at a
    launch did. alerts: new ones.
    """

    date: date
    verdict: Outcome
    version: int | None
    compared_with: str | None
    gain: Spread | None
    true_gain: float | None
    is_promoted: bool
    seconds: float
    promised: float | None = None
    earned: Spread | None = None
    rollout: str | None = None
    alerts: tuple[str, ...] = ()

    @property
    def is_held(self) -> bool | None:
        """Whether the interval holds the true gain; None where one of them isn't known."""
        if self.gain is None or self.true_gain is None:
            return None
        return self.gain.lower <= self.true_gain <= self.gain.upper


class LoopFigures(StrictModel):
    """A loop's days and nights.

    of, gain_of: what values, and gains, are of, such as `a session`.
    final_gain: of the version that decided on the last day over the first behavior policy, in truth; of sessions over
    all days after the first night, with a 95% interval of the playing, else over the days that the version decided.
    None where the shop's own rule decided on that day, or on too few days to tell. worse: versions that lowered the
    true value by more than 2% as they began to decide.
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
    def held(self) -> tuple[int, int]:
        """How many judged nights' intervals held the true gain, of how many where both are known."""
        known = [night.is_held for night in self.nights if night.is_held is not None]
        return sum(known), len(known)
