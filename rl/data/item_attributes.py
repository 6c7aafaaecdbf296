"""What was told of items, as a dataset's learners read it: known when training ends, fitted on the items it met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import structlog

from conf.observation_features import id_hash
from conf.paths import Lake
from conf.specs.action_attributes import ITEM_COLUMNS, ItemAttribute
from conf.specs.scenario import Pipeline
from conf.tables import ITEM_ATTRIBUTES, ITEMS
from rl.data.pinned_versions import PinnedVersions
from rl.data.transitions_reading import read_side_rows
from rl.errors import DatasetError, PolicyError
from rl.policy.item_attributes import AttributeEncoding, ItemAttributes, RawValue, encoded_items

# Words with a place of their own, those of most items; a word of one item alone says no more than its id.
LARGEST_LABELS = 64
SMALLEST_LABEL_COUNT = 2
# Numbers that can't be read count as missing up to this share of an attribute's, as rejected lines do of a delivery's.
LARGEST_UNREAD_SHARE = 0.01

RawItems = Mapping[int, Mapping[str, RawValue]]
"""Attributes by name, by id hash of the item."""


@dataclass(frozen=True)
class _Saying:
    """What one row said of an item's attribute: from when, delivered when, and what."""

    valid_from: datetime
    delivered: date
    value: RawValue


def read_item_attributes(
    pipeline: Pipeline, lake: Lake, versions: PinnedVersions, *, known_by: int | None = None
) -> RawItems:
    """Return what the scenario's attributes of items were.

    Judged decisions come after training, so that nothing is read off their future: of what was told of an item, that
    counts which was known when training ended. An item of which nothing was told until then gets what was told first.

    Args:
        pipeline: scenario and source.
        lake: holds the tables.
        versions: of them, pinned.
        known_by: end of training, UTC microseconds; None takes the latest that was told.

    Raises:
        DatasetError: unreadable files.
    """
    asked = [attribute.name for attribute in pipeline.scenario.action.attributes]
    sayings = _of_items(lake, versions, [name for name in asked if name in ITEM_COLUMNS])
    _add_attributes(sayings, lake, versions, [name for name in asked if name not in ITEM_COLUMNS])
    end = None if known_by is None else datetime.fromtimestamp(known_by / 1e6, UTC)
    today = None if end is None else end.astimezone(ZoneInfo(pipeline.source.zone)).date()
    return {
        id_hash(item): {name: _known(said, end, today) for name, said in by_name.items()}
        for item, by_name in sorted(sayings.items())
    }


def fit_item_attributes(attributes: Sequence[ItemAttribute], raw: RawItems, met: Collection[int]) -> ItemAttributes:
    """Return the attributes of the items that the dataset met, in an encoding that is fitted on them.

    Args:
        attributes: of the scenario, in order.
        raw: what was told.
        met: id hashes of actions, and of items in lists.

    Raises:
        DatasetError: nothing is known of any of them, or too many numbers can't be read.
    """
    ids = tuple(sorted(id_ for id_ in met if id_ in raw))
    if not ids:
        raise DatasetError(
            f"nothing is known of any of {len(met)} items that were met: {', '.join(one.name for one in attributes)} "
            "are asked for (action.attributes), and no row of items or item_attributes is of one of them; check how "
            "the source maps item_id, or leave action.attributes out"
        )
    readable = {one.name: _readable(one, [raw[id_].get(one.name) for id_ in ids]) for one in attributes}
    encodings = tuple(_fitted(one, readable[one.name]) for one in attributes)
    rows = [{name: values[row] for name, values in readable.items()} for row in range(len(ids))]
    return ItemAttributes(encodings, ids, encoded_items(encodings, rows))


def readable_items(attributes: Sequence[ItemAttribute], raw: RawItems) -> RawItems:
    """Return the items with what can't be read taken as missing.

    Raises:
        DatasetError: too many numbers can't be read.
    """
    ids = tuple(raw)
    found = {one.name: _readable(one, [raw[id_].get(one.name) for id_ in ids]) for one in attributes}
    return {id_: {name: values[row] for name, values in found.items()} for row, id_ in enumerate(ids)}


def _fitted(attribute: ItemAttribute, values: Sequence[RawValue]) -> AttributeEncoding:
    if attribute.kind == "label":
        counts = Counter(str(value) for value in values if value is not None)
        ranked = sorted((-n, label) for label, n in counts.items() if n >= SMALLEST_LABEL_COUNT)
        return AttributeEncoding(attribute.name, "label", labels=tuple(label for _, label in ranked[:LARGEST_LABELS]))
    numbers = AttributeEncoding(attribute.name, attribute.kind).numbers(values)
    there = numbers[~np.isnan(numbers)]
    spread = float(there.std()) if there.size else 0.0
    return AttributeEncoding(
        attribute.name,
        attribute.kind,
        mean=float(there.mean()) if there.size else 0.0,
        spread=spread if spread > 1e-9 else 1.0,
    )


def _readable(attribute: ItemAttribute, values: Sequence[RawValue]) -> list[RawValue]:
    """Return the values, those that can't be read as None, which are told.

    Raises:
        DatasetError: more than a hundredth of them.
    """
    if attribute.kind == "label":
        return list(values)
    reading, found, reasons = AttributeEncoding(attribute.name, attribute.kind), list(values), []
    for place, value in enumerate(values):
        try:
            reading.numbers([value])
        except PolicyError as error:
            reasons.append(str(error))
            found[place] = None
    n_told = sum(value is not None for value in values)
    if len(reasons) > LARGEST_UNREAD_SHARE * n_told:
        raise DatasetError(f"{len(reasons)} of {n_told} items, more than a hundredth: {reasons[0]}")
    if reasons:
        structlog.get_logger().warning("unread_attributes", n_items=len(reasons), of=n_told, first=reasons[0])
    return found


def _known(said: Sequence[_Saying], end: datetime | None, today: date | None) -> RawValue:
    """Return what was known by then, or else what was told first; of rows valid from one moment the first delivered."""
    in_order = sorted(said, key=lambda one: (one.valid_from, -one.delivered.toordinal()))
    in_time = [one for one in in_order if end is None or one.valid_from <= end]
    known = [one for one in in_time if today is None or one.delivered < today]
    return known[-1].value if known else min(said, key=lambda one: (one.delivered, one.valid_from)).value


_Sayings = dict[str, dict[str, list[_Saying]]]


def _of_items(lake: Lake, versions: PinnedVersions, names: Sequence[str]) -> _Sayings:
    """Return the sayings of the table of items by item and attribute; an item without attributes is there as well."""
    found: _Sayings = {}
    if not names:
        return found
    for day, row in read_side_rows(lake, ITEMS, versions.items, ["item_id", "valid_from", *names]):
        of_item = found.setdefault(row["item_id"], {})
        for name in names:
            of_item.setdefault(name, []).append(_Saying(_utc(row["valid_from"]), day, row[name]))
    return found


def _add_attributes(found: _Sayings, lake: Lake, versions: PinnedVersions, names: Sequence[str]) -> None:
    """Add the sayings of the table of further attributes."""
    wanted, columns = set(names), ["item_id", "valid_from", "attribute", "value"]
    if not wanted:
        return
    for day, row in read_side_rows(lake, ITEM_ATTRIBUTES, versions.item_attributes, columns):
        if row["attribute"] in wanted:
            said = found.setdefault(row["item_id"], {}).setdefault(row["attribute"], [])
            said.append(_Saying(_utc(row["valid_from"]), day, row["value"]))


def _utc(moment: Any) -> datetime:
    at: datetime = moment
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
