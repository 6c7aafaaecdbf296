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
from rl.orders.order_history import OrderHistory

PRODUCT, ON_HAND, ON_THE_WAY = "item_id", "on_hand", "on_the_way"
_N_NAMED = 5


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

    That is `on_the_way`, which is taken to come as late as what was ordered last, or `due_in_1d`, `due_in_2d`, ... up
    to that day.

    Raises:
        DatasetError: an unreadable file, an unknown column, a product twice, or a number that is none; names the line.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: can't be read as UTF-8: {error}") from error
    lines = csv.DictReader(io.StringIO(text, newline=""))
    due = [f"due_in_{day}d" for day in range(1, lead_days)]
    given = [name.strip() for name in lines.fieldnames or ()]
    if unknown := [name for name in given if name not in (PRODUCT, ON_HAND, ON_THE_WAY, *due)]:
        raise DatasetError(f"{path}: unknown columns {', '.join(unknown)}; expected {_expected(due)}")
    if PRODUCT not in given or ON_HAND not in given or (ON_THE_WAY in given and set(due) & set(given)):
        raise DatasetError(f"{path}: columns {', '.join(given) or 'none'}; expected {_expected(due)}")
    lines.fieldnames = given
    found: dict[str, IntArray] = {}
    for row in lines:
        product = (row[PRODUCT] or "").strip()
        if not product or product in found:
            raise DatasetError(f"{path}, line {lines.line_num}: {product or 'no item_id'} stands twice or is none")
        units = np.array(
            [_whole(row.get(name), name, path, lines.line_num) for name in (ON_HAND, *due)], dtype=np.int64
        )
        # With a lead of a day what is on the way is there on the list's own morning.
        units[-1] += _whole(row.get(ON_THE_WAY), ON_THE_WAY, path, lines.line_num)
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
    return replace(history, next_pipeline=pipeline, declared=None)


def _expected(due: list[str]) -> str:
    ahead = f" or {', '.join(due)}" if due else ""
    return f"{PRODUCT}, {ON_HAND}, and perhaps {ON_THE_WAY}{ahead}"


def _whole(value: str | None, name: str, path: Path, line: int) -> int:
    text = (value or "").strip()
    if not text:
        if name == ON_HAND:
            raise DatasetError(f"{path}, line {line}: no {name}; write 0 where there is nothing")
        return 0
    if not text.isdecimal():
        raise DatasetError(f"{path}, line {line}: {name} is {text!r}; expected a whole number of at least 0")
    return int(text)
