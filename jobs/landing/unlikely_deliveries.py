"""Deliveries that can't be right: each is held back with what is wrong with it, the others are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from conf.specs.source import Source
from jobs.errors import UnlikelyDelivery


@dataclass(frozen=True)
class Unlikely:
    """Why a delivery can't be right.

    Attributes:
        delivery_date: of the delivery.
        told: what is wrong, in lines for people that are indented.
        cure: what helps, besides accepting the delivery as it is.
    """

    delivery_date: date
    told: str
    cure: str


def refuse(found: Sequence[Unlikely], source: Source, n_published: int = 0) -> None:
    """Raise if a delivery can't be right.

    Args:
        found: all that is wrong with deliveries that nobody accepted.
        source: whose deliveries they are.
        n_published: further deliveries of the same run that are right and published.

    Raises:
        UnlikelyDelivery: names every such delivery, what is wrong with it and what to do.
    """
    if not found:
        return
    days = {one.delivery_date for one in found}
    head = "nothing was published:"
    if n_published:
        head = (
            f"{n_published} of {n_published + len(days)} deliveries were published; nothing is built from {min(days)} "
            "on until the others are settled:"
        )
    by_day = {day: [one for one in found if one.delivery_date == day] for day in sorted(days)}
    cures = {day: "; ".join(dict.fromkeys(one.cure for one in some)) for day, some in by_day.items()}
    is_one_cure, told = len(set(cures.values())) == 1, list[str]()
    for day, some in by_day.items():
        told += [*(one.told for one in some), *([] if is_one_cure else [f"    {day}: {cures[day]}"])]
    last = "where a log is right as it is: "
    if is_one_cure:
        last = f"{cures[min(days)]}; where the log is right as it is: "
    raise UnlikelyDelivery(
        "\n".join([head, *told, last]) + f"make accept SOURCE={source.name} DELIVERY=<date> REASON=<why>"
    )
