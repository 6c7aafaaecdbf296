"""Lines of a feed before they are written, and how each feed writes the same shopper's id in several forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rl.data.logged_episodes import IntArray
from rl.shops.promotion.shopper_population import FIRST_SHOPPER_ID

LineKind = Literal[
    "on_time",
    "late",
    "duplicate_same_delivery",
    "duplicate_next_delivery",
    "broken",
    "ignored",
    "unknown_type",
    "unknown_offer",
    "bad_number",
    "bad_timestamp",
    "missing_shopper",
]

Record = dict[str, object]


@dataclass(frozen=True)
class FeedLine:
    """A line with what it is, and when a tidy shop would have written it.

    Attributes:
        kind: what became of it.
        record: its columns.
        time: microseconds since the epoch, for the order in the file.
        day: of the calendar, on which it happened.
        is_cut: whether it ends in the middle.
    """

    kind: LineKind
    record: Record
    time: int
    day: int
    is_cut: bool = False


def shopper_ids(number: IntArray) -> list[int]:
    """Return the ids by which all feeds know the shoppers."""
    return [FIRST_SHOPPER_ID + one for one in number.tolist()]


def forms_of_ids(ids: list[int], rate: float, rng: np.random.Generator, *, is_text: bool) -> Iterator[object]:
    """Yield each id as exports write it: mostly a whole number, sometimes one with a point, or text.

    Args:
        ids: shoppers' ids.
        rate: share of other forms.
        rng: source of chance.
        is_text: whether the feed knows text alone, so that 17850 and 17850.0 are the only forms.
    """
    is_other = rng.random(len(ids)) < rate
    which = rng.integers(0, 3, len(ids))
    for one, other, form in zip(ids, is_other.tolist(), which.tolist(), strict=True):
        if is_text:
            yield f"{one}.0" if other else str(one)
        else:
            yield (float(one), str(one), f"{one}.0")[form] if other else one


def decimal_comma(millionths: int, places: int) -> str:
    """Return money as German exports write it: points between thousands, a comma before so many decimals.

    Raises:
        ValueError: the money has more decimals than that.
    """
    unit = 10 ** (6 - places)
    if millionths % unit:
        raise ValueError(f"{millionths} millionths have more than {places} decimals")
    whole, rest = divmod(abs(millionths), 1_000_000)
    sign = "-" if millionths < 0 else ""
    decimals = f",{rest // unit:0{places}d}" if places else ""
    return f"{sign}{whole:,}".replace(",", ".") + decimals
