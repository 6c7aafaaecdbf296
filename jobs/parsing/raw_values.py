"""What a raw value is before anything is made of it: text, a number as it was written, or something without text.

JSON tells `17850.0` from `"17850.0"`: the first is a number, which stands for the id 17850; the second is text, and an
id of its own.
"""

from __future__ import annotations

import re
from decimal import Decimal

# Whole numbers beyond are no longer exact once a program has held them as floats: two shoppers would become one.
_LARGEST_EXACT = 2**53

_INTEGER = re.compile(r"-?\d+", re.ASCII)
# Not `149.`: a number that ends in its point was cut off.
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)


class NumberText(str):
    """A number of a JSON line or Parquet row, digit for digit."""

    __slots__ = ()


class TruthText(str):
    """True or false of a JSON line or Parquet row: it may name an event type, and is no id."""

    __slots__ = ()


class Structure(str):
    """A list or object where a value was expected: it has no text."""

    __slots__ = ()


class UnfitValue(Exception):
    """A value that is there and can't be what its field asks for."""


def exact_decimal(text: str) -> Decimal | None:
    """Return the number a text holds, exactly; None where it holds none or one beyond all use.

    >>> exact_decimal("1.5e2"), exact_decimal("1,5"), exact_decimal("149."), exact_decimal("1e999999")
    (Decimal('1.5E+2'), None, None, None)
    """
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def id_text(value: str, *, is_whole: bool = False) -> str:
    """Return the id a value stands for: one id, whether it was delivered as a whole number, a float or text.

    Args:
        value: as it was cut from the record.
        is_whole: text such as 17850.0 is read as a number too.

    Raises:
        UnfitValue: true, false, a list, an object, or a float too large to be exact.

    >>> id_text(NumberText("17850.0")), id_text(NumberText("17850")), id_text("17850")
    ('17850', '17850', '17850')
    >>> id_text("17850.0"), id_text("17850.0", is_whole=True)
    ('17850.0', '17850')
    """
    if type(value) is str and not is_whole:
        return value
    if isinstance(value, TruthText | Structure):
        raise UnfitValue
    if _INTEGER.fullmatch(value):
        return str(value)
    number = exact_decimal(value.removesuffix("."))
    if number is None:
        if isinstance(value, NumberText):
            raise UnfitValue
        return value
    if abs(number) > _LARGEST_EXACT:
        raise UnfitValue
    if number == number.to_integral_value():
        return str(int(number))
    return format(number.normalize(), "f") if isinstance(value, NumberText) else value
