"""Numbers of raw lines as they are stored: money in millionths, counts whole, propensities as decimals; all exact."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext
from fractions import Fraction

from conf.specs.field_mapping import MONEY_FIELDS, NumberMapping
from conf.specs.reward import MILLIONTHS
from jobs.parsing.raw_values import exact_decimal

# What one event can be worth, in millionths: sums and weights of it stay within 64 bits.
LARGEST_MONEY = 10**16

# Wide enough for every value that can be stored; a longer one is out of bounds anyway.
_EXACT = Context(prec=120, rounding=ROUND_HALF_UP)
_COMMA_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?", re.ASCII)
_PLACES = Decimal("1e-18")
_TOO_LARGE = Decimal("1e20")
_UNITS = dict.fromkeys(MONEY_FIELDS, Decimal("1e-6")) | {"propensity": Decimal("1e-15"), "rate": Decimal("1e-18")}
FRACTION = " (a fraction)"
"""What a rejected line says behind the name of a field that is counted whole and holds a fraction."""

_LONGEST = {"quantity": 2**63, "position": 2**31, "price": 2**63, "propensity": 1000, "rate": 10**9}
_LONGEST |= dict.fromkeys(("amount", "cost", "discount"), LARGEST_MONEY)


def stored_number(text: str, name: str, mapping: NumberMapping, other: str | None = None) -> int | Decimal | None:
    """Return the number as stored, None where it can't be: bounds are checked after rounding.

    Args:
        text: as delivered.
        name: the canonical field, which decides the unit.
        mapping: its bounds.
        other: the number that multiplies or divides it, where the mapping names one.
    """
    number = _number(text, name, mapping, other)
    if number is None or abs(number) >= _TOO_LARGE:
        return None
    try:
        return _stored(_EXACT.quantize(number, _PLACES), name, mapping)
    except InvalidOperation:
        return None


def is_fraction(text: str, name: str, mapping: NumberMapping, other: str | None = None) -> bool:
    """Return whether it is a fraction of what is counted whole (0.62 kg), for no other reason unfit.

    Arguments as of `stored_number`.
    """
    number = _number(text, name, mapping, other) if name not in _UNITS else None
    return number is not None and abs(number) < _TOO_LARGE and number != _EXACT.to_integral_value(number)


def _number(text: str, name: str, mapping: NumberMapping, other: str | None) -> Decimal | None:
    """Return the number as the mapping makes it of the text, before it is rounded and its bounds are checked."""
    number = _exact(_with_point(text) if mapping.decimal_comma else text)
    if number is not None and mapping.scale is not None:
        number = _EXACT.multiply(number, Decimal(str(mapping.scale)))
    if number is None or (mapping.times is None and mapping.divided_by is None):
        return number
    second = _exact(_with_point(other) if other and mapping.decimal_comma else other)
    return _combined(number, second, name, is_product=mapping.times is not None)


def _exact(text: str | None) -> Decimal | None:
    number = exact_decimal(text) if text is not None else None
    if number is None or abs(number) >= _TOO_LARGE:
        return None
    return _EXACT.quantize(number, _PLACES)


def _with_point(text: str) -> str:
    """Return a number written with a decimal comma as others are written; thousands stand in threes, or it is none.

    >>> _with_point("1.234,50"), _with_point("12,5"), _with_point("-3"), _with_point("1.5")
    ('1234.50', '12.5', '-3', 'no number')
    """
    if _COMMA_NUMBER.fullmatch(text) is None:
        return "no number"
    return text.replace(".", "").replace(",", ".")


def _combined(number: Decimal, other: Decimal | None, name: str, *, is_product: bool) -> Decimal | None:
    """Return the product, or the quotient rounded half up at the field's unit; exact until then."""
    if other is None or (not is_product and other == 0):
        return None
    if is_product:
        return _EXACT.multiply(number, other)
    places = -int(_UNITS.get(name, _PLACES).adjusted())
    exact = abs(Fraction(number) / Fraction(other)) * 10**places
    rounded = Decimal((2 * exact.numerator + exact.denominator) // (2 * exact.denominator)).scaleb(-places, _EXACT)
    return rounded if (number < 0) == (other < 0) else -rounded


def _stored(number: Decimal, name: str, mapping: NumberMapping) -> int | Decimal | None:
    if mapping.absolute:
        number = abs(number)
    if name in _UNITS:
        number = _EXACT.quantize(number, _UNITS[name])
    elif number != _EXACT.to_integral_value(number):
        return None
    if not _is_within(number, mapping):
        return None
    with localcontext(_EXACT):
        stored = number * MILLIONTHS if name in MONEY_FIELDS else number
    if not -_LONGEST[name] < stored < _LONGEST[name]:
        return None
    return stored if name in ("propensity", "rate") else int(stored)


def _is_within(number: Decimal, mapping: NumberMapping) -> bool:
    return (
        (mapping.above is None or number > Decimal(str(mapping.above)))
        and (mapping.at_least is None or number >= Decimal(str(mapping.at_least)))
        and (mapping.at_most is None or number <= Decimal(str(mapping.at_most)))
    )
