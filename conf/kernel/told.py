"""What side tables told of something, as of a moment: valid by then, and delivered before its business day.

So what a delivery tells counts from the day after it, as late events do, and nothing that is told later is ever seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from conf.kernel.arrays import IntArray
from conf.kernel.points import Points
from conf.kernel.stream import NO_ID

MISSING, UNKNOWN = -1, 0
"""Codes of an attribute of which nothing is known, and of a value that the scenario doesn't list."""


@dataclass(frozen=True)
class Told:
    """Rows of a side table, each column `(n,)` int64, in any order.

    Attributes:
        key: of what something is told: a unit's number, or the id hash of an item.
        valid_from_us: from when it holds, UTC microseconds.
        delivery_day: the day of the delivery that told it.
        value: id hash of what is told, 0 that there is none.
    """

    key: IntArray
    valid_from_us: IntArray
    delivery_day: IntArray
    value: IntArray

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True)
class Attributes:
    """What was told of units.

    Attributes:
        name: id hash of each row's attribute, `(n,)`.
        told: its rows; keys are units.
    """

    name: IntArray
    told: Told


@dataclass(frozen=True)
class AttributeRule:
    """How an attribute becomes a feature.

    Attributes:
        name: id hash of the attribute.
        values: id hashes of the values that have a code, which count from 1 in their order.
    """

    name: int
    values: tuple[int, ...]


def value_as_of(told: Told, key: IntArray, time_us: IntArray, day: IntArray) -> IntArray:
    """Return what was known of keys at moments, 0 where nothing was, `(n,)`.

    Of the rows known at a moment, the one valid from latest counts; of those valid from one moment, the one delivered
    first, as everywhere.

    Args:
        told: rows of any keys.
        key: of what is asked.
        time_us: the moments, UTC microseconds.
        day: their business days, which ascend with them.
    """
    codes = np.unique(np.concatenate([told.key, key]))
    of_row, of_question = np.searchsorted(codes, told.key), np.searchsorted(codes, key)
    order = np.lexsort((time_us, of_question))
    asked = of_question[order]
    # A row is known from the first of its key's questions that is neither too early nor asked before its delivery.
    in_time = _first_from(of_row, told.valid_from_us, asked, time_us[order])
    in_days = _first_from(of_row, told.delivery_day + 1, asked, day[order])
    known_from = np.maximum(in_time, in_days)
    ranked = np.lexsort((told.value, -told.delivery_day, told.valid_from_us, of_row))
    rank = np.empty(len(told), dtype=np.int64)
    rank[ranked] = np.arange(len(told))
    latest = np.full(len(asked) + 1, -1, dtype=np.int64)
    np.maximum.at(latest, known_from, rank)
    latest = np.maximum.accumulate(latest[:-1])
    # Keys ascend with ranks, so an earlier key's row is what stands before the first known one.
    row = np.append(ranked, -1)[latest]
    is_own = (latest >= 0) & (np.append(of_row, -1)[row] == asked)
    found = np.zeros(len(asked), dtype=np.int64)
    found[order] = np.where(is_own, np.append(told.value, NO_ID)[row], NO_ID)
    return found


def known_categories(items: Told, item: IntArray, category: IntArray, time_us: IntArray, day: IntArray) -> IntArray:
    """Return the category of each event: its own, or else what was known of its item then, 0 none, `(n,)`."""
    lacks = (category == NO_ID) & (item != NO_ID)
    found = category.copy()
    found[lacks] = value_as_of(items, item[lacks], time_us[lacks], day[lacks])
    return found


def attribute_features(
    attributes: Attributes | None, points: Points, rules: Mapping[str, AttributeRule]
) -> dict[str, IntArray]:
    """Return the codes of the units' attributes at the points by the feature's name, `(n_points,)`."""
    return {name: _codes(attributes, points, rule) for name, rule in rules.items()}


def _codes(attributes: Attributes | None, points: Points, rule: AttributeRule) -> IntArray:
    if attributes is None:
        return np.full(len(points), MISSING, dtype=np.int64)
    is_it = attributes.name == rule.name
    own = Told(**{name: column[is_it] for name, column in vars(attributes.told).items()})
    value = value_as_of(own, points.unit, points.time_us, points.as_of_day)
    codes = np.where(value == NO_ID, MISSING, UNKNOWN).astype(np.int64)
    for code, listed in enumerate(rule.values, start=1):
        codes[value == listed] = code
    return codes


def _first_from(of_row: IntArray, since: IntArray, asked: IntArray, moment: IntArray) -> IntArray:
    """Return the first question of each row's key, or of a later key, whose moment is not before `since`, `(n_rows,)`.

    Args:
        of_row: code of each row's key.
        since: from when the row counts.
        asked: code of each question's key, ascending.
        moment: of each question, ascending within a key.
    """
    moments = np.unique(moment)
    step = len(moments) + 1
    places = asked * step + np.searchsorted(moments, moment)
    found: IntArray = np.searchsorted(places, of_row * step + np.searchsorted(moments, since))
    return found
