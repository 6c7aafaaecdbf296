"""Training, validation and test episodes: contiguous in time, with an embargo between them, or other shoppers each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from conf.specs.scenario import Pipeline
from rl.data.logged_episodes import IntArray
from rl.data.transition_columns import N_LOTS, Transitions
from rl.errors import NothingToLearn

SplitName = Literal["train", "validation", "test"]
SPLIT_NAMES: tuple[SplitName, ...] = ("train", "validation", "test")

MICROSECONDS_PER_HOUR = 3_600_000_000

Lots = tuple[int, int]
ALL_LOTS: Lots = (0, N_LOTS)


@dataclass(frozen=True)
class TimeSpan:
    """Episodes that start from `start` up to, not including, `end`, of shoppers whose lots lie in a range.

    Attributes:
        start: microseconds since the epoch.
        end: microseconds since the epoch.
        lots: from the first up to, not including, the second; all of them where time is divided.
    """

    start: int
    end: int
    lots: Lots = ALL_LOTS

    def holds(self, transitions: Transitions) -> IntArray:
        """Return the indices of the episodes inside, ascending."""
        times, lots = transitions.start_time, transitions.lot
        inside = (times >= self.start) & (times < self.end) & (lots >= self.lots[0]) & (lots < self.lots[1])
        return np.flatnonzero(inside).astype(np.int64)

    def up_to(self, later: TimeSpan) -> TimeSpan:
        """Return what lies from the start of this one to the end of a later one, what is between them included."""
        return TimeSpan(self.start, later.end, (self.lots[0], later.lots[1]))

    @property
    def digested(self) -> list[int]:
        """What names it in a dataset's digest."""
        return [self.start, self.end, *(self.lots if self.lots != ALL_LOTS else ())]

    def to_json(self) -> dict[str, Any]:
        times = {"start": _iso(self.start), "end": _iso(self.end)}
        return times | ({"lots": self.lots} if self.lots != ALL_LOTS else {})

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> TimeSpan:
        lots = content.get("lots") or ALL_LOTS
        return cls(_microseconds(content["start"]), _microseconds(content["end"]), (lots[0], lots[1]))


Intervals = Mapping[SplitName, TimeSpan]


def split_intervals(pipeline: Pipeline, *, first: int, horizon: date) -> dict[SplitName, TimeSpan]:
    """Return, for each split, the interval in which its episodes start.

    The last start is so early that the longest session and its attribution window end with the horizon: an episode is
    taken by when it starts, never by whether it has ended. Two embargoes of `pipeline.embargo_hours` lie between. Where
    shoppers are divided, all splits have the whole time, and each its share of the lots.

    Args:
        pipeline: for the shares, the embargo and the business-day zone.
        first: the first decision, microseconds since the epoch.
        horizon: last business date of the data.

    Raises:
        NothingToLearn: no time is left, with what is needed and found.
    """
    scenario = pipeline.scenario
    free_hours = _free_hours(pipeline)
    last = end_of_starts(pipeline, horizon)
    embargo = pipeline.embargo_hours * MICROSECONDS_PER_HOUR
    left = last - first - 2 * embargo
    if left <= 0:
        needed = free_hours + 2 * pipeline.embargo_hours
        found = (end_of_day(horizon, pipeline.source.zone) - first) / MICROSECONDS_PER_HOUR
        raise NothingToLearn(
            f"the window from the first decision to the end of {horizon} is too short to split: {found:.1f} hours, "
            f"expected more than {needed} ({_embargoes(pipeline)}{free_hours} left free for the last session and its "
            "attribution); build earlier dates, or shorten the embargo or the window"
        )
    shares = scenario.splits
    if shares.by == "shopper":
        train_lots, test_lots = round(shares.train * N_LOTS), round((shares.train + shares.validation) * N_LOTS)
        return {
            "train": TimeSpan(first, last, (0, train_lots)),
            "validation": TimeSpan(first, last, (train_lots, test_lots)),
            "test": TimeSpan(first, last, (test_lots, N_LOTS)),
        }
    train_end = first + int(shares.train * left)
    validation_start = train_end + embargo
    validation_end = validation_start + int(shares.validation * left)
    return {
        "train": TimeSpan(first, train_end),
        "validation": TimeSpan(validation_start, validation_end),
        "test": TimeSpan(validation_end + embargo, last),
    }


def unseen_splits(pipeline: Pipeline, seen: Intervals, *, horizon: date) -> Intervals:
    """Return the splits of a second look: training and validation as at the first, tested on what starts after it.

    Nothing of the later episodes chose or trained a policy that was frozen at the first look, so that all shoppers'
    count, also where the first look divided shoppers.

    Args:
        pipeline: for the zone, and for what is left free at the end.
        seen: splits of the first look.
        horizon: last business date of the second look.

    Raises:
        NothingToLearn: no episode can have started between the two.
    """
    start, end = seen["test"].end, end_of_starts(pipeline, horizon)
    if end <= start:
        raise NothingToLearn(
            f"the second look goes up to {horizon}, when nothing has started and ended yet that the first one didn't "
            f"see: it saw what started before {_iso(start)}, and the second ends with {_iso(end)}; take a later date"
        )
    return {**seen, "test": TimeSpan(start, end)}


def end_of_starts(pipeline: Pipeline, horizon: date) -> int:
    """Return before when an episode has to start to end by the horizon, with its attribution; in microseconds."""
    return end_of_day(horizon, pipeline.source.zone) - _free_hours(pipeline) * MICROSECONDS_PER_HOUR + 1


def _free_hours(pipeline: Pipeline) -> int:
    """Return the hours before the horizon's end in which no episode of a split starts."""
    return pipeline.scenario.reward.attribution.window_hours + pipeline.source.session.max_hours


def _embargoes(pipeline: Pipeline) -> str:
    return f"two embargoes of {pipeline.embargo_in_words}, and " if pipeline.embargo_hours else ""


def session_days(pipeline: Pipeline, interval: TimeSpan) -> tuple[date, date]:
    """Return the first and last business date of sessions that episodes starting in the interval may belong to."""
    earliest = interval.start - pipeline.source.session.max_hours * MICROSECONDS_PER_HOUR
    return _business_day(earliest, pipeline.source.zone), _business_day(interval.end, pipeline.source.zone)


def _business_day(moment: int, zone: str) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment)).astimezone(ZoneInfo(zone)).date()


def end_of_day(day: date, zone: str) -> int:
    """Return midnight at the end of a business day, microseconds since the epoch."""
    midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), tzinfo=ZoneInfo(zone))
    return _since_epoch(midnight)


def refuse_small_splits(n_episodes: Mapping[SplitName, int], least: int) -> None:
    """Raise if a split holds too few episodes.

    Raises:
        NothingToLearn: names every split that is too small.
    """
    if small := [f"{name} has {n_episodes[name]}" for name in SPLIT_NAMES if n_episodes[name] < least]:
        raise NothingToLearn(
            f"too few episodes: {', '.join(small)}; expected at least {least} in each split (splits.min_episodes); "
            "build more dates"
        )


def drop_unsettled_tails(transitions: Transitions) -> tuple[Transitions, int]:
    """Return the episodes up to their first unsettled row, and the number of rows dropped.

    A cut episode ends in a timeout: its last row keeps its next observation, from which learners look on.
    """
    n = transitions.n_transitions
    first_unsettled = np.minimum.reduceat(np.where(transitions.is_settled, n, np.arange(n)), transitions.offsets[:-1])
    lengths = np.minimum(transitions.offsets[1:], first_unsettled) - transitions.offsets[:-1]
    kept = np.flatnonzero(lengths > 0)
    is_cut = (lengths < np.diff(transitions.offsets))[kept]
    starts = np.repeat(transitions.offsets[kept], lengths[kept])
    within = np.arange(int(lengths[kept].sum())) - np.repeat(np.cumsum(lengths[kept]) - lengths[kept], lengths[kept])
    settled = transitions.take_rows((starts + within).astype(np.int64), episodes=kept, lengths=lengths[kept])
    last_of_cut = settled.offsets[1:][is_cut] - 1
    settled.terminal[last_of_cut] = False
    settled.timeout[last_of_cut] = True
    return settled, n - settled.n_transitions


def _iso(microseconds: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)).isoformat(timespec="microseconds")


def _microseconds(iso: str) -> int:
    return _since_epoch(datetime.fromisoformat(iso))


def _since_epoch(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
