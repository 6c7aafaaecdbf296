"""Money of lines: stored exactly, converted by the day's rate, or the line is rejected."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conf.specs.event_mapping import EventMapping
from conf.specs.source import Source
from jobs.errors import DeliveryError
from jobs.landing.currency_rates import rates_input, read_rates
from jobs.landing.raw_deliveries import RawDelivery, RawFile
from jobs.landing.raw_lines import LineFile
from jobs.parsing.event_parsing import EventParser, ParsedLine
from jobs.parsing.money import Rates
from tests.jobs.event_rows import source as canonical

DAY = date(2026, 1, 5)
DAY_NUMBER = (DAY - date(1970, 1, 1)).days
LATER = date(2026, 1, 6)
RATES: Rates = {
    (DAY_NUMBER, "USD"): [(DAY, Decimal("0.9215"))],
    (DAY_NUMBER, "HUF"): [(DAY, Decimal("0.002551"))],
    (DAY_NUMBER, "GBP"): [(DAY, Decimal("1.15")), (LATER, Decimal("1.16"))],
}
GOOD = {"event_time": "2026-01-05T12:00:00Z", "event_type": "purchase", "user_id": "ann"}


def shop(currency: str | None = "EUR", **columns: Any) -> Source:
    """The canonical source with money mapped by name."""
    content = canonical().model_dump()
    for name in ("price", "amount", "cost", "discount", "quantity", "currency", "order_id"):
        content["events"][name] = {"column": name}
    content["events"] |= columns
    content |= {"currency": currency, "lateness_days": 1}
    return Source.model_validate(content)


def read(source: Source, delivery: date = DAY, **given: Any) -> ParsedLine:
    return EventParser(source, None, RATES).parse(json.dumps(GOOD | given), {}, delivery)


def record(source: Source, **given: Any) -> dict[str, Any]:
    parsed = read(source, **given)
    assert parsed.refusal is None, parsed.refusal
    return parsed.records[0]


def test_money_is_stored_in_millionths() -> None:
    """Rounded once where there are more decimals; order ids are ids."""
    found = record(shop(), currency="EUR", amount="19.98", cost="0.0000005", discount=-2, order_id=17850.0)
    assert {name: found[name] for name in ("amount", "cost", "discount", "order_id", "currency")} == {
        "amount": 19_980_000,
        "cost": 1,
        "discount": -2_000_000,
        "order_id": "17850",
        "currency": "EUR",
    }


def test_amount_that_is_not_delivered_is_not_stored() -> None:
    """Price times quantity follows at any time: stored rows of such sources stay as they were."""
    found = record(shop(), currency="EUR", price="9.99", quantity=2)
    assert (found["price"], found["amount"]) == (9_990_000, None)


@pytest.mark.parametrize(
    ("amount", "quantity", "price"), [("10", 3, 3_333_333), ("20", 3, 6_666_667), ("-10", 3, -3_333_333), ("0", 3, 0)]
)
def test_price_follows_from_amount_and_quantity(amount: str, quantity: int, price: int) -> None:
    """Rounded to the nearest millionth, whatever the currency is called."""
    assert record(shop(currency=None), amount=amount, quantity=quantity)["price"] == price


def test_price_without_a_quantity_is_unknown() -> None:
    """Nothing, and nothing at all of 0 pieces, is guessed."""
    assert record(shop(currency=None), amount=10)["price"] is None
    assert record(shop(currency=None), amount=10, quantity=0)["price"] is None


def test_money_in_another_currency_is_converted_by_its_days_rate() -> None:
    """Each amount exactly, rounded once, halves away from zero; the row then says the source's currency."""
    found = record(shop(), currency="USD", amount="100.01", cost="0.000001", discount="-33.33")
    assert [found[name] for name in ("amount", "cost", "discount", "currency")] == [92_159_215, 1, -30_713_595, "EUR"]
    assert record(shop(), currency="HUF", amount="0.000196")["amount"] == 0  # 0.499996 millionths
    assert record(shop(), currency="USD", amount="0.001")["amount"] == 922  # 921.5 millionths


def test_converted_amount_is_that_of_the_exact_price() -> None:
    """1000 pieces at 0.000001: converting the price first would give 1000, the rate gives 922 (921.5)."""
    found = record(shop(), currency="USD", price="0.000001", quantity=1000)
    assert (found["amount"], found["price"]) == (922, 1)


def test_rate_is_the_latest_that_was_delivered() -> None:
    """A later correction holds for late lines alone: a delivery's rows depend on nothing that comes after it."""
    early, late = (read(shop(), day, currency="GBP", amount=1).records[0]["amount"] for day in (DAY, LATER))
    assert (early, late) == (1_150_000, 1_160_000)


@pytest.mark.parametrize(
    "given",
    [
        {"currency": "CHF", "amount": 1},
        {"currency": "eur", "amount": 1},
        {"amount": 1},
        {"currency": "USD", "price": 1, "event_time": "2026-01-04T12:00:00Z"},
    ],
    ids=["no rate", "another spelling", "no currency", "no rate of that day"],
)
def test_money_that_cannot_be_converted_is_rejected(given: dict[str, Any]) -> None:
    """Never taken as it is."""
    refusal = read(shop(), delivery=DAY, **given).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.field) == ("unknown_currency", "currency")


def test_line_without_money_needs_no_currency() -> None:
    """A view says nothing of any."""
    assert read(shop(), event_type="view").refusal is None


def test_source_that_names_no_currency_column_counts_in_its_own() -> None:
    """Its currency is then that of all its money."""
    assert record(_without_currency(), amount=1)["currency"] == "EUR"


def _without_currency() -> Source:
    source = shop()
    events = EventMapping.model_validate(source.events.model_dump() | {"currency": None})
    return source.model_copy(update={"events": events})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": "ten"}, "amount"),
        ({"cost": [1]}, "cost"),
        ({"amount": "1e10"}, "amount"),
        ({"discount": "1,5"}, "discount"),
    ],
)
def test_bad_money_is_a_bad_number(given: dict[str, Any], field: str) -> None:
    """Words, lists, commas, and ten billions: more than sums could hold."""
    refusal = read(shop(), currency="EUR", **given).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.field) == ("bad_number", field)


def test_required_money_is_not_asked_of_views() -> None:
    """As for prices."""
    source = shop(amount={"column": "amount", "required": True})
    assert read(source, event_type="view").refusal is None
    refusal = read(source).refusal
    assert refusal is not None
    assert (refusal.reason, refusal.field) == ("missing_field", "amount")


def rate_file(tmp_path: Path, *lines: str) -> LineFile:
    path = tmp_path / "rates.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return LineFile(path, "2026-01-05/rates.jsonl", DAY)


def test_rates_are_read_exactly(tmp_path: Path) -> None:
    """Numbers and texts alike; the same rate twice is one."""
    file = rate_file(
        tmp_path,
        '{"day": "2026-01-05", "currency": "USD", "rate": 0.921500000000000000001}',
        '{"day": "2026-01-05", "currency": "GBP", "rate": "1.15"}',
        '{"day": "2026-01-05", "currency": "GBP", "rate": 1.150}',
    )
    assert read_rates([file], shop(), b"key") == {
        (DAY_NUMBER, "USD"): [(DAY, Decimal("0.921500000000000000001"))],
        (DAY_NUMBER, "GBP"): [(DAY, Decimal("1.15"))],
    }


@pytest.mark.parametrize(
    ("days_later", "hold_days", "expected"),
    [(0, 0, 1_843_000), (1, 0, None), (2, 2, 1_843_000), (3, 2, None), (-1, 2, None)],
)
def test_rate_is_held_over_days_without_one(days_later: int, hold_days: int, expected: int | None) -> None:
    """Of the day itself and of earlier ones, never of a later one."""
    held = Source.model_validate(
        shop().model_dump() | {"currencies": {"files": ["rates.jsonl"], "hold_days": hold_days}}
    )
    day = DAY + timedelta(days=days_later)
    parsed = read(held, day, event_time=f"{day}T12:00:00Z", currency="USD", amount=2)
    assert (parsed.records[0]["amount"] if parsed.refusal is None else None) == expected
    assert parsed.refusal is None or parsed.refusal.reason == "unknown_currency"


def test_nearest_rate_is_held() -> None:
    """One of the day before goes before one of two days before, each as far as its delivery is known."""
    held = Source.model_validate(shop().model_dump() | {"currencies": {"files": ["rates.jsonl"], "hold_days": 3}})
    rates: Rates = {
        (DAY_NUMBER, "USD"): [(DAY, Decimal("0.5"))],
        (DAY_NUMBER + 1, "USD"): [(LATER, Decimal("0.25"))],
    }
    line = json.dumps(GOOD | {"event_time": "2026-01-07T12:00:00Z", "currency": "USD", "amount": 2})
    day = date(2026, 1, 7)
    assert EventParser(held, None, rates).parse(line, {}, day).records[0]["amount"] == 500_000


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hello", "line 2: no JSON object; expected day, currency and rate"),
        ('{"day": "05.01.2026", "currency": "USD", "rate": 1}', "day is '05.01.2026'; expected an ISO date"),
        ('{"day": "2026-01-05", "currency": "usd", "rate": 1}', "currency is 'usd'; expected three capital letters"),
        ('{"day": "2026-01-05", "currency": "EUR", "rate": 1}', "other than the source's own"),
        ('{"day": "2026-01-05", "currency": "USD", "rate": "0,92"}', "rate is '0,92'; expected a decimal number"),
        ('{"day": "2026-01-05", "currency": "USD", "rate": 0}', "rate is '0'; expected a decimal number above 0"),
        ('{"day": "2026-01-05", "currency": "USD"}', "rate is None; expected a decimal number"),
        ('{"day": "2026-01-05", "currency": "GBP", "rate": 1.2}', "already says 1.15 of the same day"),
    ],
)
def test_bad_rates_stop_the_delivery(tmp_path: Path, line: str, message: str) -> None:
    """A guessed rate would be wrong money in every row."""
    file = rate_file(tmp_path, '{"day": "2026-01-05", "currency": "GBP", "rate": 1.15}', line)
    with pytest.raises(DeliveryError) as raised:
        read_rates([file], shop(), b"key")
    assert message in str(raised.value)
    assert "2026-01-05/rates.jsonl line 2" in str(raised.value)


MAPPED_RATES = {
    "files": ["**/rates*.csv"],
    "format": "csv",
    "csv": {"has_header": True, "delimiter": ";"},
    "columns": {
        "currency": {"column": "unit"},
        "rate": {"constant": "1", "divided_by": "per euro"},
    },
    "valid_from": {"column": "on", "unit": "pattern", "pattern": "dd.MM.yyyy"},
}


def mapped_rates(tmp_path: Path, *lines: str) -> Rates:
    """What a delimited file says whose rates are those of one euro; its days are Berlin's."""
    path = tmp_path / "rates.csv"
    path.write_text("".join(f"{line}\n" for line in ("on;unit;per euro", *lines)), encoding="utf-8")
    content = shop().model_dump() | {"currencies": MAPPED_RATES, "zone": "Europe/Berlin"}
    source = Source.model_validate(content)
    file = LineFile(path, "2026-01-05/rates.csv", DAY)
    return read_rates([file], source, b"key", [("on", "unit", "per euro")])


def test_rates_are_mapped_from_columns(tmp_path: Path) -> None:
    """To 18 decimals; lines that are no rate are left to the side table, which counts them."""
    lines = ("05.01.2026;USD;1.25", "05.01.2026;JPY;3", "06.01.2026;USD;x", "06.01.2026;usd;1", "6.1.;USD;1", "x")
    assert mapped_rates(tmp_path, *lines) == {
        (DAY_NUMBER, "USD"): [(DAY, Decimal("0.8"))],
        (DAY_NUMBER, "JPY"): [(DAY, Decimal("0.333333333333333333"))],
    }


def test_two_mapped_rates_of_one_day_stop_the_delivery(tmp_path: Path) -> None:
    """The same twice is one."""
    assert len(mapped_rates(tmp_path, "05.01.2026;USD;1.25", "05.01.2026;USD;1.250")) == 1
    with pytest.raises(DeliveryError, match=r"line 3: rate 0\.5 of USD; the delivery already says 0\.8 of"):
        mapped_rates(tmp_path, "05.01.2026;USD;1.25", "05.01.2026;USD;2")


def test_rates_of_earlier_deliveries_are_among_the_inputs() -> None:
    """So that a corrected rate makes what was converted by it due again, and a later one does not."""
    first = RawDelivery(DAY, (RawFile(DAY, "currencies", "a", "hash 1", 1),))
    second = RawDelivery(LATER, (RawFile(LATER, "currencies", "b", "hash 2", 1),))
    corrected = RawDelivery(DAY, (RawFile(DAY, "currencies", "a", "hash 3", 1),))
    assert rates_input([first, second], DAY) == {}
    assert rates_input([first, second], LATER) == rates_input([first], LATER) != {}
    assert rates_input([corrected, second], LATER) != rates_input([first, second], LATER)
