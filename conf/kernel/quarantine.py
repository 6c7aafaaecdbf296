"""Decisions that can't or may not be used, and the episodes that are set aside whole because of them.

An episode without one of its decisions would tell of another visit than there was. So all of its decisions are set
aside: features still see its events, and what it earned is a residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray
from conf.kernel.availability_in_force import AvailabilitySets
from conf.kernel.calendar import Calendar
from conf.kernel.decisions import DecisionRows
from conf.kernel.points import Points
from conf.kernel.stream import NO_ID, Stream

QUARANTINE_REASONS: tuple[str, ...] = ("no_action", "unknown_set", "outside_set", "no_consent", "missed_count")
NO_ACTION, UNKNOWN_SET, OUTSIDE_SET, NO_CONSENT, MISSED_COUNT = range(len(QUARANTINE_REASONS))
USABLE = -1


@dataclass(frozen=True)
class MaskRule:
    """Which sets a decision may name, where actions are masked by availability.

    Attributes:
        settle_days: how many business days after the first one of its session a set may be delivered to be known.
    """

    settle_days: int


@dataclass(frozen=True)
class Quarantine:
    """The decisions of the asked sessions, each column `(n_asked,)`, in the points' order.

    Attributes:
        decision: which of the stream's decisions it is.
        reason: place in QUARANTINE_REASONS of what is wrong with it, USABLE where nothing is.
        episode: the episode it belongs to, as the points number them.
        is_set_aside: True for every decision of an episode that holds one that can't be used.
    """

    decision: IntArray
    reason: IntArray
    episode: IntArray
    is_set_aside: BoolArray


def quarantine(
    stream: Stream,
    decisions: DecisionRows,
    points: Points,
    session_day: IntArray,
    *,
    mask: MaskRule | None,
    sets: AvailabilitySets,
    calendar: Calendar,
    missed: BoolArray | None = None,
) -> Quarantine:
    """Return which decisions among the points can't be used, and which are set aside with them.

    Args:
        stream: the events.
        decisions: of the stream.
        points: of the asked sessions.
        session_day: the business day on which the session of each decision among the points starts, `(n_asked,)`.
        mask: None where any action may be chosen at any time.
        sets: all that were delivered by the horizon, with what they offer.
        calendar: of the business zone.
        missed: of all decisions, those between which and the next one a count is missing, `(n_decisions,)`; None where
            the clock knows of none.
    """
    asked = np.flatnonzero(points.is_decision)
    decision, episode = points.decision[asked], points.episode[asked]
    row = decisions.rows[decision]
    action = decisions.action[row]
    reason = np.full(len(row), USABLE, dtype=np.int64)
    if mask is not None:
        named, known_by = stream.availability[row], calendar.start_of_day(session_day + mask.settle_days)
        reason[~_is_offered(sets, named, action)] = OUTSIDE_SET
        reason[~_is_known(sets, named, known_by)] = UNKNOWN_SET
    if missed is not None:
        reason[missed[decision]] = MISSED_COUNT
    reason[action == NO_ID] = NO_ACTION
    reason[stream.consent[row] == 0] = NO_CONSENT
    return Quarantine(decision, reason, episode, is_set_aside=np.isin(episode, episode[reason != USABLE]))


def _is_known(sets: AvailabilitySets, named: IntArray, known_by_us: IntArray) -> BoolArray:
    """Return True where the named set had been delivered by a moment: later deliveries change nothing any more."""
    codes, first = np.unique(sets.code, return_inverse=True)
    delivered = np.full(len(codes) + 1, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(delivered, first, sets.delivered_us)
    place = np.searchsorted(codes, named)
    place[~np.isin(named, codes)] = len(codes)
    found: BoolArray = delivered[place] <= known_by_us
    return found


def _is_offered(sets: AvailabilitySets, named: IntArray, action: IntArray) -> BoolArray:
    """Return True where the named set offers the action."""
    actions = np.unique(sets.offered_action)
    n_actions = len(actions) + 1
    offers = sets.offering_code * n_actions + np.searchsorted(actions, sets.offered_action)
    asked = named * n_actions + np.searchsorted(actions, action)
    found: BoolArray = np.isin(asked, offers) & np.isin(action, actions)
    return found
