"""Published transitions as what was served: whose decisions, on which day, in which arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow.compute as pc

from conf.kernel.calendar import calendar_of, day_number
from conf.specs.scenario import MILLIONTHS, Pipeline
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.data.transition_columns import Transitions, transitions_from_table
from rl.data.transitions_reading import PublishedTransitions
from rl.figures.monitor import ExploredDayFigures
from rl.monitor.cut_days import CHANGED, CONTROLLED, DOUBTFUL, PARTLY, Begun, partly_served_days
from rl.monitor.drift import Series, ServedDay
from rl.monitor.holdouts import DayRows, Holdout, held_out
from rl.monitor.realised import ServedEpisodes

CONTROL = "control"
OTHERS = "others"
"""Arm of episodes that neither a watched version nor the control group's rule decided."""

VALUE_BY = "value by "
"""Begins the name of a series of episodes' values."""

PROPENSITIES = "actions as often as told"
"""Name of the series of the test of propensities."""

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class ServedRows:
    """Transitions of some dates, with what monitoring needs beside them.

    Attributes:
        transitions: whole episodes.
        shoppers: pseudonym of each of their codes, ascending.
        day: business day on which each episode starts, as an ordinal, `(n_episodes,)`.
    """

    transitions: Transitions
    shoppers: tuple[str, ...]
    day: IntArray

    @property
    def row_episode(self) -> IntArray:
        """Episode of each row, `(n,)`."""
        return np.repeat(np.arange(self.transitions.n_episodes), np.diff(self.transitions.offsets))

    @property
    def row_day(self) -> IntArray:
        """Day of each row's episode, as an ordinal, `(n,)`."""
        return self.day[self.row_episode]

    @property
    def row_version(self) -> IntArray:
        """Index into the transitions' `policy_versions` of who decided each row, `(n,)`."""
        return self.transitions.policy_version

    def is_by(self, versions: Set[str]) -> BoolArray:
        """Return True where a row was decided by one of the policy versions, `(n,)`."""
        known = np.array([name in versions for name in self.transitions.policy_versions], dtype=bool)
        return known[self.row_version]


@dataclass(frozen=True)
class Lots:
    """Who is meant to get what, whatever decided.

    Attributes:
        control_lot: of a pseudonym, from 0 to 2^64 - 1: a share holds the lowest ones out.
        holdout: shares of which one was held out on a day.
        is_opted_out: whether a name was made for one request of a shopper who opted out.
        gets: whether a pseudonym is among those who get the version of an arm on a day on which it is served.
        controlled: days on which a version decided for who is held out; they count for no promise.
    """

    control_lot: Callable[[str], int]
    holdout: Callable[[date], Holdout]
    is_opted_out: Callable[[str], bool]
    gets: Callable[[str, str, date], bool]
    controlled: Set[date] = frozenset()


@dataclass(frozen=True)
class ExploredRows:
    """What of the served rows was explored, and what it counts for.

    Attributes:
        is_explored: decided by a mixture, `(n,)`.
        is_counted: of these, on days whose weights can be trusted, `(n,)`.
        weight: the champion's probability of the action over the logged propensity; 1 where nothing is weighed, `(n,)`.
        arms: name of the champion's arm by the mixture's policy version.
        days: what came of each day.
    """

    is_explored: BoolArray
    is_counted: BoolArray
    weight: FloatArray
    arms: Mapping[str, str]
    days: tuple[ExploredDayFigures, ...]


def read_served_rows(published: PublishedTransitions, first: date) -> ServedRows | None:
    """Return the published rows from a date on; None where there are none.

    Raises:
        DatasetError: unreadable files, or rows that the contract doesn't allow.
    """
    days = tuple(day for day in published.pointers if day >= first)
    table = published.table(days)
    if not table.num_rows:
        return None
    transitions = transitions_from_table(table, published.pipeline.scenario)
    shoppers = tuple(sorted(pc.unique(table.column("user_id")).to_pylist()))
    first_day, last_day = day_number(days[0]) - 2, day_number(days[-1]) + 3
    calendar = calendar_of(published.pipeline.source.zone, first_day, last_day)
    return ServedRows(transitions, shoppers, np.asarray(calendar.day(transitions.start_time)) + _EPOCH)


def served_episodes(
    rows: ServedRows,
    pipeline: Pipeline,
    *,
    horizon: date,
    arms: Mapping[str, str],
    fallback: str,
    lots: Lots,
    explored: ExploredRows | None = None,
    changed: Set[date] = frozenset(),
) -> ServedEpisodes:
    """Return the episodes with their arms and on-policy values.

    An episode belongs to the arm of its first decision, whatever decided the later ones; those of shoppers in the
    control group belong to it, whatever stood in for the shop's own rule, and those of shoppers of whom it isn't known
    whether they were held out that day to no arm (`holdouts`). One that the fallback began belongs to the version that
    its shopper was meant to get (intention to treat): control keeps such sessions, and a version may not be rid of its
    own. Those of shoppers who opted out belong to no arm: they have another name at each request, by which nobody is
    drawn. One with explored decisions counts for the champion that was explored beside, its rewards weighed, or for no
    arm where the day doesn't count.

    Args:
        rows: that were read.
        pipeline: whose discount and steps make a value.
        horizon: last date whose deliveries are in.
        arms: name of the arm by policy version.
        fallback: policy version of decisions that no policy made.
        lots: who is meant to get what.
        explored: what decisions under exploration plans count for; None where none were made.
        changed: days on which it was changed what is served; they count for no promise.
    """
    transitions, scenario = rows.transitions, pipeline.scenario
    arms = {**arms, **({} if explored is None else explored.arms)}
    starts = transitions.offsets[:-1]
    step = np.arange(transitions.n_transitions) - np.repeat(starts, np.diff(transitions.offsets))
    since = transitions.decision_time - np.repeat(transitions.start_time, np.diff(transitions.offsets))
    counted = np.where(step < scenario.evaluation.steps, transitions.reward / MILLIONTHS, 0.0)
    discounted = counted * DiscountFunction.of(scenario.discount).since_start(step, since)
    if explored is not None:
        discounted = discounted * _along_episodes(explored.weight, transitions.offsets)
    names = (CONTROL, *dict.fromkeys(arms.values()), OTHERS)
    place = {name: number for number, name in enumerate(names)}
    of_version = np.array([place[arms.get(name, OTHERS)] for name in transitions.policy_versions], dtype=np.int64)
    is_known, is_held_out, is_doubtful = _drawn(rows, arms, explored, lots)
    is_left = rows.is_by({fallback})[starts] & ~is_held_out & ~is_doubtful & is_known
    arm = _intended(of_version[rows.row_version[starts]], is_left, is_held_out, rows=rows, names=names, lots=lots)
    is_weighed = np.zeros(len(starts), dtype=np.bool_)
    if explored is not None:
        is_lost = np.logical_or.reduceat(explored.is_explored & ~explored.is_counted, starts)
        arm = np.where(is_lost, place[OTHERS], arm)
        is_weighed = np.logical_or.reduceat(explored.is_explored, starts)
    arm = np.where(is_doubtful, place[OTHERS], np.where(is_held_out, place[CONTROL], arm))
    begun = Begun(rows.day, transitions.start_time, transitions.user, arm, rows.is_by({fallback})[starts])
    last_settled = (horizon - timedelta(days=pipeline.settle_days)).toordinal()
    doubtful = np.setdiff1d(rows.day[is_doubtful], rows.day[is_held_out])
    uncounted = {date.fromordinal(int(day)): DOUBTFUL for day in doubtful}
    uncounted |= dict.fromkeys(lots.controlled, CONTROLLED) | dict.fromkeys(changed, CHANGED)
    return ServedEpisodes(
        day=rows.day,
        shopper=transitions.user,
        arm=arm,
        arms=names,
        value=np.add.reduceat(discounted, starts),
        is_settled=np.asarray(rows.day <= last_settled),
        is_weighed=is_weighed,
        cut={name: dict.fromkeys(partly_served_days(begun, place[name]), PARTLY) | uncounted for name in names[1:-1]},
    )


def _drawn(
    rows: ServedRows, arms: Mapping[str, str], explored: ExploredRows | None, lots: Lots
) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Return of each episode whether its shopper has lots, was held out, and may have been or not, `(n,)` each."""
    transitions = rows.transitions
    has_lot = ~np.array([lots.is_opted_out(one) for one in rows.shoppers], dtype=bool)[transitions.user]
    lot = np.array([lots.control_lot(one) for one in rows.shoppers], dtype=np.uint64)[transitions.user]
    is_by_version = rows.is_by({*arms})
    if explored is not None:
        is_by_version = is_by_version | explored.is_explored
    decided = np.logical_or.reduceat(is_by_version, transitions.offsets[:-1])
    found = held_out(DayRows(rows.day[has_lot], lot[has_lot], decided[has_lot]), lots.holdout, lots.controlled)
    is_held_out, is_doubtful = np.zeros((2, len(has_lot)), dtype=np.bool_)
    is_held_out[has_lot], is_doubtful[has_lot] = found
    return has_lot, is_held_out, is_doubtful


def _intended(
    arm: IntArray, is_left: BoolArray, is_held_out: BoolArray, *, rows: ServedRows, names: Sequence[str], lots: Lots
) -> IntArray:
    """Return the arms with episodes that the fallback began put to what their shoppers were meant to get, `(n,)`.

    Only versions that decided for somebody on the day are in force on it, the newest first; none is where all was left
    to the fallback, as while a service is turned off.

    Args:
        arm: of each episode's first decision, `(n,)`.
        is_left: whether the fallback began it for a shopper who is neither held out nor opted out, `(n,)`.
        is_held_out: whether its shopper is, `(n,)`.
        rows: the episodes' rows.
        names: of the arms; versions between control and others, the oldest first.
        lots: who is meant to get what.
    """
    found, is_by_version = arm.copy(), (arm > 0) & (arm < len(names) - 1) & ~is_held_out
    for day in np.unique(rows.day[is_left]):
        of_day = rows.day == day
        in_force = np.unique(arm[of_day & is_by_version])[::-1].tolist()
        for place in np.flatnonzero(of_day & is_left):
            shopper = rows.shoppers[rows.transitions.user[place]]
            gets = (one for one in in_force if lots.gets(shopper, names[one], date.fromordinal(int(day))))
            found[place] = next(gets, len(names) - 1)
    return found


def _along_episodes(weight: FloatArray, offsets: IntArray) -> FloatArray:
    """Return the product of each row's weight and of all before it in its episode, `(n,)`."""
    found = weight.copy()
    changed = np.logical_or.reduceat(weight != 1, offsets[:-1])
    for start, end in zip(offsets[:-1][changed].tolist(), offsets[1:][changed].tolist(), strict=True):
        found[start:end] = np.multiply.accumulate(weight[start:end])
    return found


def watched_days(
    rows: ServedRows,
    episodes: ServedEpisodes,
    *,
    served: Mapping[str, str],
    fallback: str,
    scores: Mapping[date, float],
    unserved: Set[date] = frozenset(),
) -> list[ServedDay]:
    """Return what each day with served decisions showed, and each on which there should have been some, ascending.

    Observations are of all decisions of the day; actions and values are each version's own, so that a promotion isn't
    taken for a change. Values wait until they are settled.

    Args:
        rows: that were read.
        episodes: of the rows, in their order.
        served: name by policy version, of those that decided in the shop.
        fallback: policy version of decisions that no policy made.
        scores: of how often the champion's actions were chosen, by day.
        unserved: days on which nothing was served, though a version was in force.
    """
    is_served = rows.is_by({*served, fallback})
    days = sorted({*rows.row_day[is_served].tolist(), *(day.toordinal() for day in unserved)})
    return [_watched_day(rows, episodes, day, served, fallback, scores) for day in days]


def _watched_day(
    rows: ServedRows,
    episodes: ServedEpisodes,
    day: int,
    served: Mapping[str, str],
    fallback: str,
    scores: Mapping[date, float],
) -> ServedDay:
    transitions, of_day = rows.transitions, rows.row_day == day
    awaited = {Series("score", PROPENSITIES)}
    numbers = {
        name: np.asarray(column[of_day] if column.ndim == 1 else (column[of_day] != 0).sum(axis=1), dtype=np.float64)
        for name, column in transitions.observation.items()
    }
    names = {}
    for version, name in served.items():
        own = of_day & rows.is_by({version})
        if own.any():
            names[f"action of {name}"] = transitions.action_id[own]
        plain = episodes.take((episodes.day == day) & ~episodes.is_weighed).of(name)
        if len(plain):
            awaited |= {Series("mean", VALUE_BY + name), Series("shape", VALUE_BY + name)}
        if len(values := plain.take(plain.is_settled).value):
            numbers[VALUE_BY + name] = values
    made = int((of_day & rows.is_by({*served, fallback})).sum())
    found = date.fromordinal(day)
    return ServedDay(
        day=found,
        n_decisions=int(of_day.sum()),
        numbers=numbers,
        names=names,
        shares={"decisions that no policy made": (int((of_day & rows.is_by({fallback})).sum()), made)},
        scores={PROPENSITIES: scores[found]} if found in scores else {},
        awaited=frozenset(awaited),
    )
