"""An event's money in the source's currency: converted by its day's rate, and what follows from the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from conf.specs.field_mapping import MONEY_FIELDS
from conf.specs.source import Source
from conf.tables import RejectReason
from jobs.parsing.exact_numbers import LARGEST_MONEY

Rates = Mapping[tuple[int, str], Sequence[tuple[date, Decimal]]]
"""By day (days since the epoch) and currency: what deliveries said of it, with their dates, ascending."""


class MoneyReader:
    """Completes the money of records that were read as they stand."""

    def __init__(self, source: Source, rates: Rates) -> None:
        self._currency, self._rates = source.currency, rates
        self._hold_days = source.currencies.hold_days if source.currencies is not None else 0
        self._names_currency = source.events.currency is not None
        self._has_amounts = source.events.amount is not None
        self.is_needed = self._currency is not None or self._has_amounts

    def complete(self, fields: dict[str, Any], day: int | None, delivery: date) -> tuple[RejectReason, str] | None:
        """Convert the record's money, and derive its price from amount and quantity where there is none.

        What is converted is rounded once to millionths, halves away from zero; an amount that isn't given is that of
        price times quantity before either is rounded.

        Args:
            fields: of one event, changed in place.
            day: its business day in days since the epoch; None where its time can't be read.
            delivery: rates of later deliveries aren't known yet.

        Returns:
            the reason and the field, where it can't be converted.
        """
        if all(fields[name] is None for name in MONEY_FIELDS):
            return None
        if self._currency is not None and (problem := self._convert(fields, day, delivery)):
            return problem
        if fields["price"] is None and fields["amount"] is not None and fields["quantity"]:
            fields["price"] = rounded(Fraction(fields["amount"], fields["quantity"]))
        return None

    def _convert(self, fields: dict[str, Any], day: int | None, delivery: date) -> tuple[RejectReason, str] | None:
        given = fields["currency"] if self._names_currency else self._currency
        if given != self._currency:
            rate = self._rate(given, day, delivery)
            if rate is None:
                return "unknown_currency", "currency"
            if fields["amount"] is None and fields["price"] is not None and fields["quantity"] is not None:
                fields["amount"] = fields["price"] * fields["quantity"]
            for name in MONEY_FIELDS:
                if fields[name] is not None:
                    fields[name] = rounded(fields[name] * rate)
                    if abs(fields[name]) >= LARGEST_MONEY:
                        return "bad_number", name
        fields["currency"] = self._currency
        return None

    def _rate(self, currency: str | None, day: int | None, delivery: date) -> Fraction | None:
        """Return the latest delivered rate of the day, or of the nearest earlier one whose rate may be held."""
        if day is None or currency is None:
            return None
        for earlier in range(day, day - self._hold_days - 1, -1):
            for delivered, rate in reversed(self._rates.get((earlier, currency), ())):
                if delivered <= delivery:
                    return Fraction(rate)
        return None


def rounded(value: Fraction) -> int:
    """Return the nearest whole number, halves away from zero.

    >>> rounded(Fraction(5, 2)), rounded(Fraction(-5, 2)), rounded(Fraction(7, 3))
    (3, -3, 2)
    """
    whole = (2 * abs(value.numerator) + value.denominator) // (2 * value.denominator)
    return whole if value >= 0 else -whole
