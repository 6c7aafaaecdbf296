"""Segments that a person can name: parts of the decisions, or of the episodes, by one exact feature each.

A new one is a function of the feature's values and an entry in `SEGMENTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import BoolArray, IntArray

Names = Mapping[int, str]
"""Natural key by id hash."""

_SHOWN_CATEGORIES = 6


@dataclass(frozen=True)
class SegmentCut:
    """A feature's values, cut into labeled parts; code -1 belongs to none of them.

    Attributes:
        codes: index into `labels` of each value, `(n,)`.
        labels: of the parts, in reading order.
    """

    codes: IntArray
    labels: tuple[str, ...]


@dataclass(frozen=True)
class SegmentRule:
    """How observations fall into segments.

    Attributes:
        feature: of the observation that it reads.
        cut: (values of the feature, names of ids) -> parts.
        is_of_episode: the feature says something about the shopper at the first observation of an episode; False for
            what only builds up during it.
    """

    feature: str
    cut: Callable[[IntArray, Names], SegmentCut]
    is_of_episode: bool = True


@dataclass(frozen=True)
class Segment:
    """One part: `dimension` is the rule's name, `is_member` marks the decisions or episodes in it."""

    dimension: str
    label: str
    is_member: BoolArray


def segments_of(observation: Mapping[str, IntArray], names: Names, *, of_episodes: bool) -> tuple[Segment, ...]:
    """Return the non-empty segments of these observations, by rule; a rule whose feature isn't observed is left out.

    Args:
        observation: feature name -> `(n,)` or `(n, length)`; the episodes' first observations where `of_episodes`.
        names: natural keys of the ids in list features.
        of_episodes: only rules that say something about whole episodes.
    """
    return tuple(
        Segment(dimension, label, is_member)
        for dimension, rule in SEGMENTS.items()
        if rule.feature in observation and (rule.is_of_episode or not of_episodes)
        for label, is_member in _parts(rule.cut(observation[rule.feature], names))
        if is_member.any()
    )


def _parts(cut: SegmentCut) -> list[tuple[str, BoolArray]]:
    return [(label, cut.codes == code) for code, label in enumerate(cut.labels)]


def by_bounds(values: IntArray, bounds: Sequence[int], labels: Sequence[str]) -> SegmentCut:
    """Return the parts between ascending bounds: part 0 below the first, part k from the k-th bound on.

    >>> by_bounds(np.array([-1, 0, 3]), (0, 2), ("none", "few", "many")).codes.tolist()
    [0, 1, 2]
    """
    return SegmentCut(np.searchsorted(np.array(bounds), values, side="right").astype(np.int64), tuple(labels))


def _visitor(values: IntArray, names: Names) -> SegmentCut:  # noqa: ARG001 -- all rules share one signature
    return by_bounds(values, (1,), ("new shopper", "returning shopper"))


def _past_purchases(values: IntArray, names: Names) -> SegmentCut:  # noqa: ARG001
    return by_bounds(values, (1,), ("no past purchase", "1 or more past purchases"))


def _past_clicks(values: IntArray, names: Names) -> SegmentCut:  # noqa: ARG001
    return by_bounds(values, (1, 10), ("no past click", "1 to 9 past clicks", "10 or more past clicks"))


def _last_visit(values: IntArray, names: Names) -> SegmentCut:  # noqa: ARG001
    labels = (
        "no earlier visit known",
        "last visit today or yesterday",
        "last visit 2 or 3 days ago",
        "last visit 4 or more days ago",
    )
    return by_bounds(values, (0, 2, 4), labels)


def _time_of_day(values: IntArray, names: Names) -> SegmentCut:  # noqa: ARG001
    return by_bounds(
        values,
        (6, 12, 18),
        ("night (0 to 5 h)", "morning (6 to 11 h)", "afternoon (12 to 17 h)", "evening (18 to 23 h)"),
    )


def _day_of_week(values: IntArray, names: Names) -> SegmentCut:  # noqa: ARG001
    return by_bounds(values, (6,), ("Monday to Friday", "weekend"))


def _session_step(values: IntArray, names: Names) -> SegmentCut:  # noqa: ARG001
    return by_bounds(
        values, (1, 3, 6), ("first decision", "2nd or 3rd decision", "4th to 6th decision", "7th decision or later")
    )


def _session_clicks(values: IntArray, names: Names) -> SegmentCut:  # noqa: ARG001
    return by_bounds(values, (1, 3), ("no click yet", "1 or 2 clicks so far", "3 or more clicks so far"))


def _favorite_category(values: IntArray, names: Names) -> SegmentCut:
    """Return the most frequent favorite categories as parts, the others together, and shoppers without any."""
    first = values[:, 0]
    ids, counts = np.unique(first[first != 0], return_counts=True)
    shown = ids[np.lexsort((ids, -counts))][:_SHOWN_CATEGORIES].tolist()
    codes = np.full(len(first), len(shown) + 1, dtype=np.int64)
    codes[first != 0] = len(shown)
    for code, id_ in enumerate(shown):
        codes[first == id_] = code
    return SegmentCut(
        codes, (*(f"favors {named(id_, names)}" for id_ in shown), "another favorite", "no favorite known")
    )


def named(id_: int, names: Names) -> str:
    """Return the id's natural key, or its first digits where the key isn't known.

    >>> named(255, {}), named(255, {255: "shoes"})
    ('id 00000000…', 'shoes')
    """
    return names.get(id_, f"id {id_ % 2**64:016x}"[:11] + "…")


SEGMENTS: dict[str, SegmentRule] = {
    "new or returning": SegmentRule("n_past_sessions_days", _visitor),
    "past purchases": SegmentRule("n_past_purchases", _past_purchases),
    "past clicks": SegmentRule("n_past_clicks", _past_clicks),
    "last visit": SegmentRule("days_since_last_visit", _last_visit),
    "time of day": SegmentRule("hour_of_day", _time_of_day),
    "day of week": SegmentRule("day_of_week", _day_of_week),
    "favorite category": SegmentRule("favorite_categories", _favorite_category),
    "place in the session": SegmentRule("session_step", _session_step, is_of_episode=False),
    "clicks this session": SegmentRule("n_session_clicks", _session_clicks, is_of_episode=False),
}
