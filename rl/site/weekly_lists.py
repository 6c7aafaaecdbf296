"""A scenario's last weekly list in a sentence: what it commits, and the price of money that it was decided at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rl.page.wording import number
from rl.site.left_files import LeftFiles
from rl.site.nights import Night

_NAMES = ("as_of", "version", "is_draft")
_MONEY = ("committed", "weekly_budget", "price")


def last_list(nights: Sequence[Night], left: LeftFiles) -> dict[str, Any]:
    """Return what `decide` said of the latest night's list within a budget; empty where no night has one.

    Args:
        nights: of a scenario, the oldest first.
        left: what reads their files.
    """
    for night in reversed(nights):
        told = left.mapping(night.run.decide_result)
        if all(name in told for name in _NAMES) and all(_is_number(told.get(name)) for name in _MONEY):
            return told
    return {}


def list_sentences(told: dict[str, Any], unit: str) -> str:
    """Return what a list commits and at which price of money, beside the registered one; empty without a list.

    Args:
        told: what `decide` said of it.
        unit: of money.
    """
    if not told:
        return ""
    money = f" {unit}" if unit else ""
    what = "drafted, and sent to nobody" if told["is_draft"] else "decided"
    registered = told.get("registered_price")
    beside = "" if not _is_number(registered) else f" ({number(registered)} when the version was registered)"
    price = (
        f"Money wasn't short: its price was 0{beside}."
        if told["price"] == 0
        else f"Each{money or ' unit'} that an offer commits had to bring about {number(told['price'])}{money} beyond "
        f"its cost, the price of money at which this week's shoppers keep the budget{beside}."
    )
    return (
        f"The list of the week of {told['as_of']} was {what} by version {told['version']}. It commits "
        f"{told['committed']:,.2f} of {told['weekly_budget']:,.2f}{money}. {price}"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
