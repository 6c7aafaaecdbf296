"""Ids among some lines of a log that nothing there knows: items that no table has, refunds of orders nobody placed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from conf.specs.source import Source
from conf.tables import ITEMS
from jobs.commands.item_outlook import MOST_ITEM_LINES, item_lines
from jobs.commands.source_check import FeedCheck
from jobs.landing.id_spellings import ALIKE_CURE, alike_ids, unknown_items_told, unknown_orders_told

_ANY_DAY = date(1970, 1, 1)


@dataclass
class NamedIds:
    """The ids that events among the first lines name, and those that are known.

    Attributes:
        items: that events name, by feed.
        known_items: that the files of items have; None where the source has no such table, or no line of it.
        n_item_lines: that were looked at.
        refunded: orders that refunds name.
        purchased: orders that purchases name.
        is_all: whether all lines of the feeds were looked at.
    """

    items: dict[str, set[str]] = field(default_factory=dict)
    known_items: set[str] | None = None
    n_item_lines: int = 0
    refunded: set[str] = field(default_factory=set)
    purchased: set[str] = field(default_factory=set)
    is_all: bool = True

    @property
    def unknown_orders(self) -> set[str]:
        """Orders that refunds name and no purchase does."""
        return self.refunded - self.purchased

    def lines(self) -> Iterator[str]:
        """Yield the report, for people; nothing where all ids are known."""
        known = self.known_items
        if known is not None:
            where = f"the first {self.n_item_lines} lines of items" if self.is_cut else "items"
            for feed, named in sorted(self.items.items()):
                n_known = len(named & known)
                if n_known == 0:
                    yield unknown_items_told(feed, named, known, where)
                elif n_known < len(named):
                    yield f"{n_known} of {len(named)} item ids of feed {feed} stand in {where}{_alike(named, known)}"
        if self.unknown_orders and self.is_all:
            yield unknown_orders_told(len(self.unknown_orders), len(self.refunded), "among these lines")
        elif self.unknown_orders:
            n_known = len(self.refunded & self.purchased)
            yield (
                f"{n_known} of {len(self.refunded)} orders that refunds name have a purchase among these lines; "
                "whether the others have one can't be told from a part of the log (ingest says)"
            )
        if self.unknown_orders and (told := _parts_told(self.unknown_orders, self.purchased)) is not None:
            yield told

    @property
    def is_cut(self) -> bool:
        """True where further lines of items were not looked at."""
        return self.n_item_lines >= MOST_ITEM_LINES

    def result(self) -> dict[str, Any]:
        """Return the same for programs."""
        items = {
            feed: {"n": len(named), "n_known": len(named & self.known_items)}
            for feed, named in sorted(self.items.items())
            if self.known_items is not None
        }
        return {
            "items": items,
            "refunded_orders": {"n": len(self.refunded), "n_known": len(self.refunded & self.purchased)},
        }


def _alike(named: set[str], known: set[str]) -> str:
    """Return how many of the others only spelling keeps apart from an item, with a pair; empty where none is."""
    alike = alike_ids(named, known)
    if not alike:
        return ""
    one = next(iter(alike))
    return (
        f"; {len(alike)} of the others are spelled otherwise, e.g. {one!r} against {alike[one]!r}: they are items of "
        f"their own; {ALIKE_CURE}"
    )


def named_ids(checks: Sequence[FeedCheck], source: Source, logs: Path) -> NamedIds:
    """Return the ids that the first lines of the feeds name, and which of items and orders are known.

    Raises:
        DeliveryError: a file of items that doesn't fit the source.
    """
    found = NamedIds(is_all=all(check.is_all for check in checks))
    for check in checks:
        for event in check.events:
            item, order = event.fields.get("item_id"), event.fields.get("order_id")
            if item is not None:
                found.items.setdefault(check.name, set()).add(str(item))
            if order is not None and event.event_type in ("refund", "purchase"):
                (found.refunded if event.event_type == "refund" else found.purchased).add(str(order))
    if ITEMS.name in source.side_tables and found.items:
        known = set[str]()
        for rows in islice(item_lines(source, logs, _ANY_DAY), MOST_ITEM_LINES):
            found.n_item_lines += 1
            known |= {row["item_id"] for row in rows}
        found.known_items = known or None
    return found


def _parts_told(refunded: Collection[str], purchased: Collection[str]) -> str | None:
    """Return that refunds write orders with one sign between their parts and purchases with another; None otherwise."""
    signs, others = _sign_between(refunded), _sign_between(purchased)
    if signs is None or others is None or signs == others:
        return None
    return (
        f"order_id: refunds name orders with {signs!r} between their parts, purchases with {others!r}, so that none is "
        f"found: give the field that is joined separator: {signs!r}"
    )


def _sign_between(orders: Collection[str]) -> str | None:
    """Return the one sign that stands in nearly all ids, besides letters and digits; None where none or several do."""
    found = Counter(frozenset(one for one in order if not one.isalnum()) for order in orders)
    (signs, n), *_ = found.most_common(1) or [(frozenset[str](), 0)]
    return next(iter(signs)) if len(signs) == 1 and n >= 0.9 * len(orders) else None
