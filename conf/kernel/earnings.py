"""What events are worth: their number, or their money, less what refunds take back; all in whole numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from conf.kernel.arrays import BoolArray, IntArray
from conf.kernel.stream import NO_NUMBER, Stream, is_of_type

MILLIONTHS = 1_000_000

LARGEST_WORTH = 10**16
"""What one event can be worth, in millionths, is less."""

PURCHASE, REFUND = "purchase", "refund"


@dataclass(frozen=True)
class Term:
    """What each event of a type is worth.

    Attributes:
        event: the canonical type.
        value: its number (1), its pieces (`units`), or which of its money; `margin` is amount less cost.
        factor: of a number, what one event or piece is worth; of money, what it is multiplied by, in millionths.
    """

    event: str
    value: Literal["count", "units", "revenue", "margin", "discount", "cost"]
    factor: int

    @property
    def is_refunded(self) -> bool:
        """True where refunds take back what it is worth."""
        return self.event == PURCHASE and self.value not in ("count", "units")


@dataclass(frozen=True)
class ActionCosts:
    """What a decision costs, whatever follows, in millionths.

    Attributes:
        is_logged: True where it is the cost of the decision's own event; one without costs nothing.
        by_action: else by the action's id hash.
        otherwise: of all other actions.
    """

    is_logged: bool = False
    by_action: Mapping[int, int] = field(default_factory=dict)
    otherwise: int = 0


def worth(stream: Stream, rows: IntArray, terms: Sequence[Term]) -> IntArray:
    """Return what each of the rows is worth, `(n_rows,)`: the sum over the terms, each rounded once.

    Money is multiplied exactly and rounded to the nearest whole, halves away from zero. A refund takes back its own
    money, whichever sign it was logged with, for each term of purchases. An event without the money or the pieces
    that a term asks for (`lacks_money`) is worth nothing there.
    """
    total = np.zeros(len(rows), dtype=np.int64)
    is_refund = is_of_type(stream, REFUND)[rows]
    for term in terms:
        is_named = is_of_type(stream, term.event)[rows]
        if term.value == "count":
            total += np.where(is_named, term.factor, 0)
            continue
        if term.value == "units":
            units = _units(stream, rows, term.factor)
            total += np.where(is_named & (units != NO_NUMBER), units, 0) * term.factor
            continue
        money = _money(stream, rows, term.value, is_refund)
        earned = scaled(np.where(money == NO_NUMBER, 0, money), term.factor)
        total += np.where(is_named, earned, 0)
        if term.is_refunded:
            total -= np.where(is_refund, earned, 0)
    return total


def lacks_money(stream: Stream, rows: IntArray, terms: Sequence[Term]) -> BoolArray:
    """Return True for the rows that lack the money or pieces which some term asks for, `(n_rows,)`."""
    is_refund = is_of_type(stream, REFUND)[rows]
    lacks = np.zeros(len(rows), dtype=np.bool_)
    for term in (one for one in terms if one.value != "count"):
        is_asked = is_of_type(stream, term.event)[rows] | (is_refund & term.is_refunded)
        if term.value == "units":
            told = _units(stream, rows, term.factor)
        else:
            told = _money(stream, rows, term.value, is_refund)
        lacks |= is_asked & (told == NO_NUMBER)
    return lacks


def action_costs(stream: Stream, rows: IntArray, action: IntArray, costs: ActionCosts | None) -> IntArray:
    """Return what each decision costs in millionths, `(n_decisions,)`.

    Args:
        stream: of the decisions.
        rows: the decisions' rows, `(n_decisions,)`.
        action: id hash of what each chose, `(n_decisions,)`.
        costs: None where decisions cost nothing.
    """
    if costs is None:
        return np.zeros(len(rows), dtype=np.int64)
    if costs.is_logged:
        return np.where(stream.cost[rows] == NO_NUMBER, 0, stream.cost[rows])
    found = np.full(len(rows), costs.otherwise, dtype=np.int64)
    for chosen, cost in costs.by_action.items():
        found[action == chosen] = cost
    return found


def sums_by(values: IntArray, place: IntArray, n_places: int) -> IntArray:
    """Return the sum of the values of each place, `(n_places,)`: in whole numbers, so exact in any order."""
    sums = np.zeros(n_places, dtype=np.int64)
    np.add.at(sums, place, values)
    return sums


def scaled(values: IntArray, factor: int) -> IntArray:
    """Return the values times a factor in millionths, rounded to the nearest whole, halves away from zero.

    Taken apart, so that no product is larger than the result.
    """
    whole, rest = np.divmod(np.abs(values), MILLIONTHS)
    size = abs(factor)
    product = whole * size + (2 * rest * size + MILLIONTHS) // (2 * MILLIONTHS)
    signed: IntArray = np.sign(values) * product * (1 if factor >= 0 else -1)
    return signed


def _units(stream: Stream, rows: IntArray, factor: int) -> IntArray:
    """Return the pieces of each row; NO_NUMBER where it has none, or so many that their worth is no money."""
    units = stream.quantity[rows]
    most = (LARGEST_WORTH - 1) // max(1, abs(factor))
    fits = (units != NO_NUMBER) & (units <= most) & (units >= -most)
    return np.where(fits, units, NO_NUMBER)


def _money(stream: Stream, rows: IntArray, value: str, is_refund: BoolArray) -> IntArray:
    """Return the money of each row, NO_NUMBER where it has none; a refund's without its sign."""
    if value == "margin":
        return _margin(stream, rows, is_refund)
    column = {"revenue": stream.amount, "discount": stream.discount, "cost": stream.cost}[value]
    return _unsigned(column[rows], is_refund)


def _margin(stream: Stream, rows: IntArray, is_refund: BoolArray) -> IntArray:
    """Return amount less cost; what came back without a cost can't be sold again, so that its whole amount is lost."""
    amount, cost = _unsigned(stream.amount[rows], is_refund), _unsigned(stream.cost[rows], is_refund)
    known = np.where((cost == NO_NUMBER) & is_refund, 0, cost)
    lacks = (amount == NO_NUMBER) | (known == NO_NUMBER)
    return np.where(lacks, NO_NUMBER, np.where(lacks, 0, amount) - np.where(lacks, 0, known))


def _unsigned(money: IntArray, is_refund: BoolArray) -> IntArray:
    # The number that stands for none has no absolute value.
    return np.where(is_refund & (money != NO_NUMBER), np.abs(money), money)
