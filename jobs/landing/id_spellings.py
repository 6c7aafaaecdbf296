"""Ids of two places that never meet: told with an example of how each spells them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_LEADING_ZEROS = re.compile(r"^0+(?=.)")
_SIGNS = re.compile(r"[^\w|]|_")
_FRACTION = re.compile(r"(?<=\d)\.0+$")

ALIKE_CURE = (
    "map both alike: extract: '^0*(.+)$' where zeros lead, fold_case: true where capitals differ, whole: true where "
    "numbers end in .0"
)
"""What to do about ids that only their spelling keeps apart."""


def alike_ids(named: Collection[str], known: Collection[str]) -> dict[str, str]:
    """Return the ids that aren't known but are spelled like a known one, with that one, in their order.

    Args:
        named: ids that one place names.
        known: ids that the other has.
    """
    unknown = sorted(set(named) - set(known))
    if not unknown:
        return {}
    by_core = _by_core(known)
    return {one: by_core[core] for one in unknown if (core := core_of(one)) in by_core}


def masked(spelled: str) -> str:
    """Return how an id is spelled without saying which it is; leading zeros stay, since they are what differs most.

    >>> masked("0001398-Xy"), masked("13989")
    ('0009999-Aa', '99999')
    """
    zeros = _LEADING_ZEROS.match(spelled)
    start = "" if zeros is None else zeros.group()
    rest = re.sub(r"\d", "9", spelled[len(start) :])
    return start + "".join(_letter(sign) for sign in rest)


def _letter(sign: str) -> str:
    if sign.isalpha():
        return "A" if sign.isupper() else "a"
    return "9" if sign.isnumeric() else sign


def spelling_example(named: Collection[str], known: Collection[str]) -> str:
    """Return a pair that differs in its spelling alone, such as `'1' against '00001'`; where none does, the first two.

    Args:
        named: ids that events name; at least one.
        known: ids that a table has; at least one.
    """
    by_core = _by_core(known)
    alike = next((one for one in sorted(named) if core_of(one) in by_core), None)
    pair = (alike, by_core[core_of(alike)]) if alike is not None else (min(named), min(known))
    return f"{pair[0]!r} against {pair[1]!r}"


def unknown_items_told(feed: str, named: Collection[str], known: Collection[str], where: str) -> str:
    """Return what a person is told of a feed none of whose items a table knows."""
    of_feed = f" of feed {feed}" if feed else ""
    return (
        f"0 of {len(named)} item ids{of_feed} stand in {where}; e.g. {spelling_example(named, known)}: what items tell "
        f"(categories, costs) reaches none of its events; {ALIKE_CURE}"
    )


def alike_told(alike: Mapping[str, str], n_named: int, where: str) -> str:
    """Return what a person is told of items that a table knows under another spelling alone; no id is shown.

    Args:
        alike: ids that the table doesn't have, with one that it has.
        n_named: ids that were looked at.
        where: the table.
    """
    one = next(iter(alike))
    return (
        f"{len(alike)} of {n_named} item ids are spelled otherwise in {where} (such as {masked(one)} against "
        f"{masked(alike[one])}): they are items of their own, of which it tells nothing; {ALIKE_CURE}"
    )


def numbered_anew_told(number: str, n_files: int) -> str:
    """Return what a person is told of shoppers read from the numbers of lines, which begin anew in each file.

    Args:
        number: the column of the lines' numbers.
        n_files: of the feed.
    """
    return (
        f"user_id is read from the lines' numbers, and each of {n_files} files begins at 1 again: lines of the same "
        f"number in different files become one shopper; join the number with the file: csv: {{line_number: {number}, "
        f"file_name: file}} and user_id: {{columns: [file, {number}]}}"
    )


def unknown_orders_told(n_unknown: int, n_named: int, where: str) -> str:
    """Return what a person is told of refunds that name orders without a purchase."""
    return (
        f"{n_unknown} of {n_named} orders that refunds name ({n_unknown / n_named:.0%}) have no purchase {where}: "
        "these refunds take nothing back; if returns have numbers of their own, map order_id to the number of the "
        "purchase, where returns name it in columns of their own (first_of: [purchase_order, order], or of joined ones "
        "first_of: [[purchase_till, purchase_receipt], [till, receipt]]), or leave it out for refunds, which then take "
        "back the shopper's latest purchase of the item"
    )


def _by_core(known: Collection[str]) -> dict[str, str]:
    """Return ids by what their spellings share; of several the first."""
    return {core_of(one): one for one in sorted(known, reverse=True)}


def core_of(spelled: str) -> str:
    """Return an id without what spellings differ in: capitals, zeros before and behind it, signs between its parts.

    What joins columns stays: branch 1, till 78, receipt 50 is neither card 17850 nor receipt 50 of another till.

    >>> core_of("0001398-Xy"), core_of("17850.0"), core_of("00"), core_of("01|78|50")
    ('1398xy', '17850', '0', '1|78|50')
    """
    if spelled.isdecimal() and spelled[0] != "0":
        return spelled
    bare = _SIGNS.sub("", _FRACTION.sub("", spelled).casefold())
    return _LEADING_ZEROS.sub("", bare) or spelled
