"""Money in a draft: hundredths become units or are asked about, and so are currency and zone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from conf.errors import SpecError
from conf.specs.source import Source
from conf.specs.strict_yaml import parse_model
from jobs.commands.source_check import check_source
from jobs.proposal.proposal import propose


def _log(folder: Path, lines: list[object]) -> Path:
    path = folder / "log.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def _order(n: int, **line: object) -> dict[str, object]:
    at = f"2026-01-05T10:{n:02d}:00Z"
    return {"created": at, "type": "order", "customer": {"id": f"c{n}"}, "lines": [{"sku": "a", "quantity": 2} | line]}


def _draft(path: Path) -> Source:
    content = yaml.safe_load(propose([path], "shop"))
    return parse_model(Source, content | {"zone": content["zone"] or "UTC"}, "draft")


@pytest.mark.parametrize("name", ["price_cents", "priceCents", "unit_price_in_cents", "price_minor", "preis_cent"])
def test_names_of_hundredths_are_scaled(tmp_path: Path, name: str) -> None:
    """In lists as elsewhere."""
    path = _log(tmp_path, [_order(n, **{name: 1999}) for n in range(6)])
    ((check,), _) = check_source(_draft(path), path)
    assert {event.fields["price"] for event in check.events} == {19_990_000}
    assert "is read as hundredths of the currency" in propose([path], "shop")


def test_amount_within_an_object_is_known(tmp_path: Path) -> None:
    path = _log(tmp_path, [_order(n, price={"amount": "19.99", "currency": "EUR"}) for n in range(6)])
    draft = _draft(path)
    assert draft.events.price is not None
    assert (draft.events.price.column, draft.events.price.scale) == ("lines[].price.amount", None)
    assert draft.currency == "EUR"


@pytest.mark.parametrize(("price", "is_asked"), [(1999, True), (19.99, False), (7, False)])
def test_whole_numbers_from_100_on_are_asked_about(tmp_path: Path, price: float, is_asked: bool) -> None:
    """Of few lines already; nothing is scaled that no name says."""
    path = _log(tmp_path, [_order(n, price=price) for n in range(6)])
    assert ("are they cents? then add scale: 0.01" in propose([path], "shop")) == is_asked
    price_mapping = _draft(path).events.price
    assert price_mapping is not None
    assert price_mapping.scale is None


def test_discounts_and_taxes_of_a_line_are_no_price(tmp_path: Path) -> None:
    path = _log(tmp_path, [_order(n, tax={"amount": 1.5}, discount={"amount": 2.5}) for n in range(6)])
    assert _draft(path).events.price is None


def test_items_are_named_in_lists_and_beside_them(tmp_path: Path) -> None:
    """Views name one item, orders a list of lines, lists of results another."""
    views = [
        {"created": f"2026-01-05T09:{n:02d}:00Z", "type": "view", "customer": {"id": "c"}, "sku": "b"} for n in range(9)
    ]
    lists = [
        {
            "created": f"2026-01-05T08:{n:02d}:00Z",
            "type": "view_item_list",
            "customer": {"id": "c"},
            "shown": [{"sku": "a"}],
        }
        for n in range(9)
    ]
    path = _log(tmp_path, [*views, *lists, *[_order(n, price=9.5) for n in range(9)]])
    draft = _draft(path)
    assert draft.events.item_id is not None
    assert draft.events.item_id.first_of is not None
    assert set(draft.events.item_id.first_of) == {"lines[].sku", "shown[].sku", "sku"}
    assert draft.events.item_id.first_of[-1] == "sku"
    ((check,), _) = check_source(draft, path)
    assert (check.n_rejected, check.n_events.total()) == (0, 27)
    assert {event.fields.get("item_id") for event in check.events} == {"a", "b"}


@pytest.mark.parametrize(
    ("header", "expected", "line"),
    [
        ("Betrag (EUR)", "EUR", "currency: EUR  # unsure: by the name of a column"),
        ("amount_usd", "USD", "currency: USD  # unsure: by the name of a column"),
        ("Betrag", None, "currency:  # asked: in which currency is the money?"),
    ],
)
def test_currency_and_zone_have_lines_of_their_own(
    tmp_path: Path, header: str, expected: str | None, line: str
) -> None:
    """An answer that nobody gave is an empty line, not a missing one."""
    path = tmp_path / "till.csv"
    rows = [f"0{day}.01.2026 10:00;K{day};A{day};2;{day}9,90" for day in range(1, 9)]
    path.write_text("\n".join([f"Datum;Kunde;Artikel;Menge;{header}", *rows, ""]))
    text = propose([path], "shop")
    assert line in text
    assert "\nzone:  # asked: in which zone" in text
    assert _draft(path).currency == expected


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-01-05T10:00:00Z", "zone: UTC  # asked"),
        ("2026-01-05T10:00:00+03:00", "zone: UTC  # asked"),
        ("1767607200", "zone: UTC  # asked"),
        ("2026-01-05T10:00:00", "zone:  # asked"),
        ("2026-01-05 10:00", "zone:  # asked"),
        ("05.01.2026 10:00", "zone:  # asked"),
    ],
)
def test_zone_is_left_open_where_times_name_none(tmp_path: Path, time: str, expected: str) -> None:
    """A source whose zone nobody answered doesn't load, and says what to write."""
    path = tmp_path / "log.csv"
    path.write_text(f"at,user_id,item_id,event\n{time},u,i,view\n")
    text = propose([path], "shop")
    assert f"\n{expected}" in text
    if expected == "zone:  # asked":
        with pytest.raises(SpecError, match=r"  zone: empty; name the zone .* such as Europe/Berlin") as raised:
            parse_model(Source, yaml.safe_load(text), "draft")
        assert "None" not in str(raised.value)


def test_no_currency_is_asked_for_where_no_event_has_money(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("at,user_id,item_id,event\n2026-01-05T10:00:00Z,u,i,view\n")
    assert "currency" not in propose([path], "shop")


def test_several_currencies_are_asked_about(tmp_path: Path) -> None:
    orders = [_order(n, price=9.5, currency="EUR" if n % 2 else "CHF") for n in range(9)]
    text = propose([_log(tmp_path, orders)], "shop")
    assert "currency:  # asked: events are in CHF, EUR; which one is money counted in?" in text


def _returns(folder: Path, second: str) -> Path:
    rows = [f"05.01.2026 10:{n:02d};K{n};A1;Verkauf;B{n};;1;9,90" for n in range(20)]
    rows += [f"06.01.2026 10:{n:02d};K{n};A1;Rückgabe;R{n};{second.format(n=n)};1;9,90" for n in range(4)]
    path = folder / "till.csv"
    header = "Datum;Kunde;Artikel;Vorgang;Bonnr;Ursprungsbon;Menge;Preis"
    path.write_bytes("\n".join([header, *rows, ""]).encode("latin-1"))
    return path


def test_returns_with_numbers_of_their_own(tmp_path: Path) -> None:
    """Where a column names the purchase's, it goes first; where none does, the draft asks."""
    path = _returns(tmp_path, "B{n}")
    draft = _draft(path)
    assert draft.encoding == "latin-1"
    assert draft.events.event_type.map == {"Verkauf": "purchase", "Rückgabe": "refund"}
    assert draft.events.order_id is not None
    assert draft.events.order_id.first_of == ("Ursprungsbon", "Bonnr")
    ((check,), _) = check_source(draft, path)
    refunded = {event.fields["order_id"] for event in check.events if event.event_type == "refund"}
    assert refunded == {"B0", "B1", "B2", "B3"}
    path = _returns(tmp_path, "")
    assert _draft(path).events.order_id is not None
    assert "4 orders hold refunds and no purchase" in propose([path], "shop")


def test_pieces_with_a_minus_beside_sums_without_one_are_prices_all_the_same(tmp_path: Path) -> None:
    """A till that counts returns down, and writes what was given back as any amount."""
    rows = [f"0{day}.01.2026 10:00;K{day};A{day};{-1 if day % 2 else 2};19,90" for day in range(1, 9)]
    path = tmp_path / "kasse.csv"
    path.write_text("\n".join(["Datum;Kunde;Artikel;Menge;Betrag", *rows, ""]), encoding="utf-8")
    content = yaml.safe_load(propose([path], "shop"))
    (check,), _ = check_source(parse_model(Source, content | {"zone": "UTC"}, "draft"), path)
    assert (check.n_rejected, dict(check.n_events)) == (0, {"refund": 4, "purchase": 4})
    assert {event.fields["price"] for event in check.events} == {19_900_000, 9_950_000}
