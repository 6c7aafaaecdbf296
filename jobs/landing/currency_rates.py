"""Rates of exchange by day, delivered beside the events.

A wrong line of JSON lines with the names of this module lets nothing be ingested; one whose columns are mapped is
rejected and counted, as any side table's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any

from conf.specs.side_table import RATES
from conf.specs.source import Source
from jobs.errors import DeliveryError
from jobs.landing.raw_deliveries import RawDelivery, RawFile
from jobs.landing.raw_lines import LineFile, read_batches, reading_of, side_reading
from jobs.parsing.money import Rates
from jobs.parsing.raw_values import exact_decimal
from jobs.parsing.side_parsing import SideParser
from jobs.parsing.time_reading import LocalTimes

_EPOCH = date(1970, 1, 1)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_MOST_A_UNIT = Decimal(10) ** 9


def rates_input(landed: Iterable[RawDelivery], delivery_date: date) -> dict[str, str]:
    """Return what names the rates that earlier deliveries told, for a delivery's inputs; nothing where none did."""
    files = [(str(file.delivery_date), file.name, file.keyed_hash) for file in rate_files(landed, delivery_date)]
    earlier = [file for file in sorted(files) if file[0] < str(delivery_date)]
    return {"currencies_before": sha256(json.dumps(earlier).encode("utf-8")).hexdigest()[:32]} if earlier else {}


def rate_files(landed: Iterable[RawDelivery], last_delivery_date: date) -> list[RawFile]:
    """Return the files of rates up to a delivery."""
    return [file for one in landed if one.delivery_date <= last_delivery_date for file in one.of_kind(RATES)]


def read_rates(files: Iterable[LineFile], source: Source, key: bytes, headers: Sequence[tuple[str, ...]] = ()) -> Rates:
    """Return what the files say of each day and currency, by delivery.

    Args:
        files: of rates.
        source: says how they are written.
        key: of the hashes of their lines.
        headers: column names by `header_id`, where they have any.

    Raises:
        DeliveryError: a line of those that aren't mapped isn't a day, a currency and a rate, or a delivery says two
            rates of one day.
    """
    found: dict[tuple[int, str], dict[date, Decimal]] = {}
    is_mapped = source.currencies is not None and bool(source.currencies.columns)
    for file in files:
        delivery = file.delivery_date or date.min
        lines = _mapped_rates(file, source, key, headers) if is_mapped else _own_rates(file, source, key)
        for number, day, currency, rate in lines:
            known = found.setdefault((day, currency), {})
            if known.setdefault(delivery, rate) != rate:
                raise DeliveryError(
                    f"{file.name} line {number}: rate {rate} of {currency}; the delivery already says "
                    f"{known[delivery]} of the same day, expected one rate a day and currency"
                )
    return {place: sorted(rates.items()) for place, rates in found.items()}


_Rate = tuple[int, int, str, Decimal]
"""Number of the line, day since the epoch, currency, and what one unit of it was worth."""


def _own_rates(file: LineFile, source: Source, key: bytes) -> Iterator[_Rate]:
    for batch in read_batches(file, reading_of(source, key, is_side_file=True)):
        for number, line in zip(batch.numbers.tolist(), batch.lines.to_pylist(), strict=True):
            yield (number, *_read(line, f"{file.name} line {number}", source))


def _mapped_rates(file: LineFile, source: Source, key: bytes, headers: Sequence[tuple[str, ...]]) -> Iterator[_Rate]:
    """Yield what the accepted lines say; the side table counts the others."""
    table = source.side_tables[RATES]
    header = headers[file.header_id] if headers else ()
    parser = SideParser(RATES, table, header, zone=source.zone, pseudonym=str)
    clock = LocalTimes(source.zone)
    for batch in read_batches(file, side_reading(table, key)):
        for number, line in zip(batch.numbers.tolist(), batch.lines.to_pylist(), strict=True):
            for row in parser.parse(line, file.delivery_date or _EPOCH).rows:
                yield number, clock.day_of(row["valid_from"]), row["currency"], Decimal(row["rate"])


def _read(line: str, where: str, source: Source) -> tuple[int, str, Decimal]:
    try:
        given: Any = json.loads(line, parse_float=str, parse_int=str)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise DeliveryError(f"{where}: no JSON object; expected day, currency and rate")
    texts = {name: given[name].strip() if isinstance(given.get(name), str) else "" for name in _EXPECTED}
    day, currency, rate = _day(texts["day"]), _currency(texts["currency"], source), _rate(texts["rate"])
    if day is None or currency is None or rate is None:
        name = "day" if day is None else "currency" if currency is None else "rate"
        raise DeliveryError(f"{where}: {name} is {given.get(name)!r}; expected {_EXPECTED[name]}")
    return day, currency, rate


_EXPECTED = {
    "day": "an ISO date",
    "currency": "three capital letters other than the source's own",
    "rate": "a decimal number above 0 such as 0.9215",
}


def _day(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        return None


def _currency(text: str, source: Source) -> str | None:
    return text if re.fullmatch("[A-Z]{3}", text) and text != source.currency else None


def _rate(text: str) -> Decimal | None:
    rate = exact_decimal(text)
    return rate if rate is not None and 0 < rate < _MOST_A_UNIT else None
