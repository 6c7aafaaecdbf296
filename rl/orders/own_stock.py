"""What a shop has by its own count, from a file: for tomorrow's list where the log counts no stock."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.errors import DatasetError, PolicyError
from rl.inventory.shared_orders import Room
from rl.orders.order_history import OrderHistory

PRODUCT, ON_HAND, ON_THE_WAY = "item_id", "on_hand", "on_the_way"
_N_NAMED = 5
_MOST_DIGITS = 9


@dataclass(frozen=True)
class OwnStock:
    """A shop's own count, as read.

    Attributes:
        name: of the file.
        digest: SHA-256 of its bytes, in hex.
        units: by product: on hand on the morning of the list, and due in 1, 2, ... days, `(lead_days,)` each.
    """

    name: str
    digest: str
    units: Mapping[str, IntArray]


def read_own_stock(path: Path, lead_days: int) -> OwnStock:
    """Return what the file says: CSV in UTF-8 with `item_id`, `on_hand`, and perhaps what is on the way.

    What comes in on the list's own morning is on hand. On the way is `on_the_way`, which is taken to come as late as
    what was ordered last, or `due_in_1d`, `due_in_2d`, ... up to that day.

    Raises:
        DatasetError: an unreadable file, an unknown or repeated column, a line with too many or too few fields, a
            product twice, or a number that is none; names the line.
    """
    due = [f"due_in_{day}d" for day in range(1, lead_days)]
    try:
        content = path.read_bytes()
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = [(reader.line_num, fields) for fields in reader if fields]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: can't be read as CSV in UTF-8: {error}") from error
    given = [name.strip() for name in rows[0][1]] if rows else []
    if unknown := [name for name in given if name not in (PRODUCT, ON_HAND, ON_THE_WAY, *due)]:
        raise DatasetError(f"{path}: unknown columns {', '.join(unknown)}; expected {_expected(due)}")
    is_twofold = len(set(given)) < len(given) or (ON_THE_WAY in given and bool(set(due) & set(given)))
    if PRODUCT not in given or ON_HAND not in given or is_twofold:
        raise DatasetError(f"{path}: columns {', '.join(given) or 'none'}; expected {_expected(due)}")
    found: dict[str, IntArray] = {}
    for line, fields in rows[1:]:
        where = f"{path}, line {line}"
        if len(fields) != len(given):
            raise DatasetError(f"{where}: {len(fields)} fields, expected {len(given)}; numbers have no commas")
        row = dict(zip(given, fields, strict=True))
        product = row[PRODUCT].strip()
        if not product or product in found:
            raise DatasetError(f"{where}: {product or 'no item_id'} stands twice or is none")
        units = np.array([_whole(row.get(name), name, where) for name in (ON_HAND, *due)], dtype=np.int64)
        # With a lead of a day what is on the way is there on the list's own morning.
        units[-1] += _whole(row.get(ON_THE_WAY), ON_THE_WAY, where)
        found[product] = units
    return OwnStock(path.name, sha256(content).hexdigest(), found)


def with_own_stock(history: OrderHistory, stock: OwnStock) -> OrderHistory:
    """Return the history with the shop's own count in place of the simulated stock, for tomorrow's list.

    Raises:
        PolicyError: the log counts its stock, or the file lacks a product that the list is made for.
    """
    if history.declared is None:
        raise PolicyError("the log counts its stock, and the list is made of that; leave out --stock")
    listed = [history.products[row] for row in np.flatnonzero(history.is_listed).tolist()]
    if lacking := [one for one in listed if one not in stock.units]:
        raise PolicyError(
            f"{stock.name} lacks {len(lacking)} of the {len(listed)} products that are in the range: "
            f"{', '.join(lacking[:_N_NAMED])}{', ...' if len(lacking) > _N_NAMED else ''}; add them, with on_hand 0 "
            "where there is nothing"
        )
    pipeline = history.next_pipeline.copy()
    for row, product in enumerate(history.products):
        if product in stock.units:
            pipeline[row] = stock.units[product]
    # What lies of products that have no line takes its room of a limit that all share.
    others, room = ~history.is_listed, history.room
    taken = 0 if room is None else Room(room.per_unit[others], room.limit).needed(pipeline[others].sum(axis=1))
    unlisted = replace(history.unlisted, room=history.unlisted.room + taken)
    return replace(history, next_pipeline=pipeline, declared=None, seen_unlisted=unlisted)


def unknown_products(history: OrderHistory, stock: OwnStock) -> tuple[str, ...]:
    """Return the products of the file that the log never sold, ascending: misspelled, perhaps."""
    return tuple(sorted(stock.units.keys() - set(history.products)))


def _expected(due: list[str]) -> str:
    ahead = f" or {', '.join(due)}" if due else ""
    return f"{PRODUCT}, {ON_HAND}, and perhaps {ON_THE_WAY}{ahead}"


def _whole(value: str | None, name: str, where: str) -> int:
    text = (value or "").strip()
    if not text:
        if name == ON_HAND:
            raise DatasetError(f"{where}: no {name}; write 0 where there is nothing")
        return 0
    if not (text.isascii() and text.isdecimal()) or len(text) > _MOST_DIGITS:
        raise DatasetError(
            f"{where}: {name} is {text[:40]!r}; expected a whole number of at least 0, of at most {_MOST_DIGITS} digits"
        )
    return int(text)
