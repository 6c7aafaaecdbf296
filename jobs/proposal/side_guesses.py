"""Which files are tables beside the events: items with their prices, who consented, or rates of exchange."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from jobs.parsing.raw_values import exact_decimal
from jobs.proposal.column_words import field_rank, names_validity
from jobs.proposal.feed_guesses import FeedGuess
from jobs.proposal.file_looks import FileLook, Values
from jobs.proposal.time_guesses import is_day_alone

_RATES = {"day", "currency", "rate"}
_MOST_OF_RATES = 4
_ITEM_FIELDS = ("category_id", "price", "cost")
_CONSENT = re.compile(
    r"consent|opt[ _-]?in|permission|gdpr|dsgvo|rgpd|einwillig|zustimm|erlaubnis|consentim|consenso|accord|toestemm"
    r"|zgoda|samtyck|samtykke|is_given|granted"
)
_OPT_IN = re.compile(r"opt[ _-]?in(?!g)")
_OPTED_OUT = re.compile(
    r"opt(ed)?[ _-]?out|unsubscri|do_?not|widerspr|abgemeld|abmeld|desinscri|desabonn|baja|disiscri|afgemeld|uitschr"
    r"|rezygn|wypis|revoked|withdrawn"
)
_OUT_WORDS = frozenset(
    {"opt-out", "opt_out", "optout", "out", "revoked", "withdrawn", "denied", "declined", "unsubscribed"}
)
_PLAIN_FLAGS = ("true", "false", "1", "0", "yes", "no")
_YES = frozenset(
    (
        *(
            "1",
            "true",
            "yes",
            "y",
            "t",
            "ja",
            "j",
            "oui",
            "o",
            "si",
            "sì",
            "sí",
            "s",
            "sim",
            "tak",
            "on",
            "in",
            "opt-in",
        ),
        *("opt_in", "optin", "granted", "given", "accepted", "active", "subscribed"),
    )
)
_NO = _OUT_WORDS | frozenset(
    ("0", "false", "no", "n", "f", "nein", "non", "nee", "nie", "não", "nao", "off", "none", "inactive", "widerrufen")
)
_PAIRS = (
    *(("yes", "no"), ("true", "false"), ("1", "0"), ("y", "n"), ("t", "f"), ("ja", "nein"), ("j", "n"), ("oui", "non")),
    *(("on", "off"), ("opt-in", "opt-out"), ("opt_in", "opt_out"), ("in", "out"), ("granted", "revoked")),
)
_LEAST_DIFFERENT = 0.4  # of a table that is delivered twice, half of the rows name an item anew


def guess_rates(look: FileLook, guess: FeedGuess | None) -> tuple[dict[str, Any], str] | None:
    """Return the table of rates of exchange that a file seems to be, and the column with the currencies; None if none.

    JSON lines of `day`, `currency` and `rate` are read as they stand; in other files there is a column of currencies,
    one of numbers above 0, perhaps one of days, and nothing of shoppers or items.

    Args:
        look: at the file.
        guess: what it would be as a log; None where nothing in it is a time.
    """
    if look.format == "jsonl" and set(look.columns) >= _RATES:
        return {}, "currency"
    if any(_column(look, name) is not None for name in ("user_id", "item_id", "order_id", "quantity")):
        return None
    currency = next((name for name, values in look.columns.items() if _are_currencies(values)), None)
    if currency is None or not 2 <= len(look.columns) <= _MOST_OF_RATES:
        return None
    rates = [name for name, values in look.columns.items() if name != currency and _are_above_nothing(values)]
    if len(rates) != 1 or not (guess is None or is_day_alone(guess.events["event_time"])):
        return None
    form = {"csv": dict(look.form)} if look.form is not None else {}
    encoding = {"encoding": look.encoding} if look.encoding != "utf-8" else {}
    table = {"format": look.format, **form, **encoding}
    table["columns"] = {
        "currency": {"column": currency},
        "rate": {"column": rates[0]} | _shape("rate", look.columns[rates[0]]),
    }
    if guess is not None and "constant" not in guess.events["event_time"]:
        table["valid_from"] = guess.events["event_time"]
    return table, currency


def _are_currencies(values: Values) -> bool:
    given = [one for one in values if one is not None]
    return bool(given) and all(re.fullmatch("[A-Z]{3}", one) for one in given)


def _are_above_nothing(values: Values) -> bool:
    given = [one.replace(",", ".") for one in values if one is not None]
    numbers = [exact_decimal(one) for one in given]
    return bool(given) and all(one is not None and one > 0 for one in numbers) and any("." in one for one in given)


def leading_currency(rates: FileLook, currency: str, guesses: Iterable[FeedGuess]) -> str | None:
    """Return the currency that logs hold most often of those that the rates don't convert; None where there is none."""
    converted = set(rates.columns[currency])
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


def guess_consent(look: FileLook, guess: FeedGuess | None) -> tuple[dict[str, Any], str] | None:
    """Return the table of consents that a file seems to be, and what that rests on; None where it is none.

    Args:
        look: at the file.
        guess: what it would be as a log; None where nothing in it is a time.
    """
    user = _column(look, "user_id")
    if user is None or any(_column(look, name) is not None for name in ("item_id", "price")):
        return None
    if guess is not None and "constant" not in guess.events["event_type"]:
        words = look.columns.get(guess.events["event_type"].get("column", ""), [])
        if not _are_flags(words):
            return None
    name = look.path.name.lower()
    is_of_consent = _CONSENT.search(name) is not None or _OPTED_OUT.search(name) is not None
    flags = [one for one in look.columns if one != user and _are_flags(look.columns[one])]
    flag = next((one for one in flags if _says_consent(one)), flags[0] if is_of_consent and flags else None)
    if flag is not None:
        is_given, why = _flag_mapping(flag, look.columns[flag])
    elif _lists_opt_outs(look):
        is_given, why = {"constant": "false"}, f"{look.path.name} is read as the list of those who opted out"
    elif _CONSENT.search(name):
        is_given, why = {"constant": "true"}, f"{look.path.name} is read as the list of those who consented"
    else:
        return None
    form = {"csv": dict(look.form)} if look.form is not None else {}
    encoding = {"encoding": look.encoding} if look.encoding != "utf-8" else {}
    table = {"format": look.format, **form, **encoding}
    table["columns"] = {"user_id": {"column": user}, "is_given": is_given}
    if guess is not None and "constant" not in guess.events["event_time"]:
        table["valid_from"] = guess.events["event_time"]
    if _names_opt_outs_alone(is_given, [] if flag is None else look.columns[flag]):
        table["unlisted"] = "given"
    return table, why


def _lists_opt_outs(look: FileLook) -> bool:
    """Return whether a file without a flag is named as the list of those who opted out."""
    name = look.path.name.lower()
    return _OPTED_OUT.search(name) is not None and _OPT_IN.search(name) is None


def _names_opt_outs_alone(is_given: dict[str, Any], values: Values) -> bool:
    """Return whether a table says of nobody that consent is given: then all others must count as consenting."""
    if "constant" in is_given:
        return bool(is_given["constant"] == "false")
    words = {one for one in values if one is not None}
    said = {is_given["map"][one] if "map" in is_given else one.lower().strip() for one in words}
    return not said & {"true", "1", "yes"}


def _is_turned(column: str) -> bool:
    return _OPTED_OUT.search(column.lower()) is not None and _OPT_IN.search(column.lower()) is None


def _other_words(words: Sequence[str]) -> list[str]:
    """Return the opposites of words, in the same letters: a list that grows may hold a word that it lacks now."""
    found = []
    for word in words:
        opposite = next((pair[pair[0] == word.lower()] for pair in _PAIRS if word.lower() in pair), None)
        if opposite is not None:
            found.append(opposite.upper() if word.isupper() else opposite.title() if word.istitle() else opposite)
    return found


def _says_consent(column: str) -> bool:
    word = column.lower().rpartition(".")[2]
    return _CONSENT.search(word) is not None or _OPTED_OUT.search(word) is not None


def _are_flags(values: Values) -> bool:
    given = {one.lower().strip() for one in values if one is not None}
    return bool(given) and given <= (_YES | _NO)


def _flag_mapping(column: str, values: Values) -> tuple[dict[str, Any], str]:
    """Return how the column is read as whether consent is given; where it says who opted out, the other way round."""
    words = sorted({one for one in values if one is not None})
    is_turned = _is_turned(column)
    if not is_turned and all(one.lower() in _PLAIN_FLAGS for one in words):
        return {"column": column}, f"{column} is read as whether consent is given"
    found = {}
    for one in sorted({*words, *(_other_words(words) if len(words) == 1 else ())}):
        word = one.lower().strip()
        is_given = word not in _OUT_WORDS and (word in _YES) != is_turned
        found[one] = "true" if is_given else "false"
    why = "who opted out" if is_turned else "whether consent is given"
    return {"column": column, "map": found}, f"{column} is read as {why}"


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
