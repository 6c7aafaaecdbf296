"""In which currency a shop's money is counted: said by a column's name or by the events, else asked."""

from __future__ import annotations

import re
from collections.abc import Sequence

from conf.specs.field_mapping import MONEY_FIELDS
from jobs.proposal.column_words import currency_in
from jobs.proposal.feed_guesses import FeedGuess


def currency_lines(guesses: Sequence[FeedGuess]) -> list[str]:
    """Return the draft's line on the currency; none where no event has money.

    A line without a value asks: as long as nobody answers, money is stored as each event gives it.
    """
    columns = [column for guess in guesses for column in _money_columns(guess)]
    if not columns:
        return []
    told, is_complete = _told_by_events(guesses)
    named = sorted({one for column in columns if (one := currency_in(column)) is not None})
    if len(named) == 1 and not told:
        return [f"currency: {named[0]}  # unsure: by the name of a column"]
    if len(told) == 1 and is_complete:
        return [f"currency: {told[0]}  # unsure: the only one among the lines looked at; another one is rejected"]
    if len(told) > 1:
        some = f"{', '.join(told[:5])}{', ...' if len(told) > 5 else ''}"
        return [
            f"currency:  # asked: events are in {some}; which one is money counted in? rates of the others come by "
            "currencies, and without an answer amounts are added up as they stand"
        ]
    return ["currency:  # asked: in which currency is the money? three capital letters, as EUR"]


def _money_columns(guess: FeedGuess) -> list[str]:
    found = [guess.events[name] for name in MONEY_FIELDS if name in guess.events]
    return [one for mapping in found for one in (mapping.get("first_of") or [mapping.get("column")]) if one]


def _told_by_events(guesses: Sequence[FeedGuess]) -> tuple[list[str], bool]:
    """Return the currencies that events name, and whether all lines of feeds with money name one."""
    told, is_complete = set[str](), True
    for guess in guesses:
        if not _money_columns(guess):
            continue
        values = guess.look.columns.get(guess.events.get("currency", {}).get("column", ""), [None])
        told |= {one for one in values if one is not None and re.fullmatch("[A-Z]{3}", one)}
        is_complete &= all(one is not None and re.fullmatch("[A-Z]{3}", one) for one in values)
    return sorted(told), is_complete
