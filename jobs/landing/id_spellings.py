"""Ids of two places that never meet: told with an example of how each spells them."""

from __future__ import annotations

import re
from collections.abc import Collection

_LEADING_ZEROS = re.compile(r"^0+(?=.)")


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
    return {one: by_core[core] for one in unknown if (core := _core(one)) in by_core}


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
    return ("A" if sign.isupper() else "a") if sign.isalpha() else sign


def spelling_example(named: Collection[str], known: Collection[str]) -> str:
    """Return a pair that differs in its spelling alone, such as `'1' against '00001'`; where none does, the first two.

    Args:
        named: ids that events name; at least one.
        known: ids that a table has; at least one.
    """
    by_core = _by_core(known)
    alike = next((one for one in sorted(named) if _core(one) in by_core), None)
    pair = (alike, by_core[_core(alike)]) if alike is not None else (min(named), min(known))
    return f"{pair[0]!r} against {pair[1]!r}"


def unknown_items_told(feed: str, named: Collection[str], known: Collection[str], where: str) -> str:
    """Return what a person is told of a feed none of whose items a table knows."""
    of_feed = f" of feed {feed}" if feed else ""
    return (
        f"0 of {len(named)} item ids{of_feed} stand in {where}; e.g. {spelling_example(named, known)}: what items tell "
        "(categories, costs) reaches none of its events; map both alike, as by extract: '^0*(.+)$' where zeros lead"
    )


def unknown_orders_told(n_unknown: int, n_named: int, where: str) -> str:
    """Return what a person is told of refunds that name orders without a purchase."""
    return (
        f"{n_unknown} of {n_named} orders that refunds name ({n_unknown / n_named:.0%}) have no purchase {where}: "
        "these refunds take nothing back; if returns have numbers of their own, map order_id to the number of the "
        "purchase (first_of: [purchase_order, order], where returns name it in a column of its own), or leave it out "
        "for refunds, which then take back the shopper's latest purchase of the item"
    )


def _by_core(known: Collection[str]) -> dict[str, str]:
    """Return ids by what their spellings share; of several the first."""
    return {_core(one): one for one in sorted(known, reverse=True)}


def _core(spelled: str) -> str:
    """Return an id without what spellings differ in: capitals, leading zeros, and signs between letters and digits."""
    return _LEADING_ZEROS.sub("", re.sub(r"[\W_]", "", spelled.casefold()))
