"""Which files are tables beside the events: items with their prices, or rates of exchange."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from jobs.parsing.raw_values import exact_decimal
from jobs.proposal.column_words import field_rank, names_validity
from jobs.proposal.feed_guesses import FeedGuess
from jobs.proposal.file_looks import FileLook, Values
from jobs.proposal.time_guesses import is_day_alone

_RATES = {"day", "currency", "rate"}
_ITEM_FIELDS = ("category_id", "price", "cost")
_LEAST_DIFFERENT = 0.4  # of a table that is delivered twice, half of the rows name an item anew


def are_rates(look: FileLook) -> bool:
    """Return whether the file holds rates of exchange as a source reads them."""
    return look.format == "jsonl" and set(look.columns) >= _RATES


def leading_currency(rates: FileLook, guesses: Iterable[FeedGuess]) -> str | None:
    """Return the currency that logs hold most often of those that the rates don't convert; None where there is none."""
    converted = set(rates.columns["currency"])
    counts = Counter[str]()
    for guess in guesses:
        column = guess.events.get("currency", {}).get("column", "")
        counts.update(one for one in guess.look.columns.get(column, []) if one is not None and one not in converted)
    names = [name for name, _ in counts.most_common() if re.fullmatch("[A-Z]{3}", name)]
    return names[0] if names else None


def guess_items(look: FileLook, guess: FeedGuess | None) -> dict[str, Any] | None:
    """Return the table of items that a file seems to be, without its files; None where it seems to be a log.

    Args:
        look: at the file.
        guess: what it would be as a log; None where nothing in it is a time.
    """
    item = _column(look, "item_id")
    fields = {name: column for name in _ITEM_FIELDS if (column := _column(look, name)) is not None}
    if item is None or not fields or _column(look, "user_id") is not None or _is_log(guess):
        return None
    values = look.columns[item]
    if None in values or len(set(values)) < _LEAST_DIFFERENT * len(values):
        return None
    columns: dict[str, Any] = {"item_id": {"column": item}}
    columns |= {name: {"column": column} | _shape(name, look.columns[column]) for name, column in fields.items()}
    form = {"csv": dict(look.form)} if look.form is not None else {}
    encoding = {"encoding": look.encoding} if look.encoding != "utf-8" else {}
    return {"format": look.format, **form, **encoding, "columns": columns} | _valid_from(guess)


def _is_log(guess: FeedGuess | None) -> bool:
    """Return whether lines say what happened, or at what time of day."""
    if guess is None:
        return False
    return "constant" not in guess.events["event_type"] or not is_day_alone(guess.events["event_time"])


def _column(look: FileLook, field: str) -> str | None:
    ranked = [(rank, name) for name in look.columns if (rank := field_rank(field, name)) is not None]
    return min(ranked)[1] if ranked else None


def _shape(field: str, values: Values) -> dict[str, Any]:
    given = [one for one in values if one is not None]
    is_comma = field != "category_id" and any("," in one for one in given)
    return {"decimal_comma": True} if is_comma and any(exact_decimal(one) is None for one in given) else {}


def _valid_from(guess: FeedGuess | None) -> dict[str, Any]:
    if guess is None:
        return {}
    time = guess.events["event_time"]
    return {"valid_from": time} if names_validity(time.get("column", "")) else {}
