"""The shipped source reads what the simulated shop that orders stock delivers: every line, reason and whole number."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from conf.specs.source import load_source
from jobs.commands.side_check import check_side_tables
from jobs.commands.source_check import FeedCheck, check_source
from jobs.parsing.event_parsing import EventParser, ParsedLine
from rl.shops.inventory.inventory_settings import InventorySettings, StockDirt
from rl.shops.inventory.writer import write_inventory_logs

ALL_LINES = 10**7
SOURCE = load_source("simulated_inventory")
SETTINGS = InventorySettings(
    n_days=56,
    n_products=30,
    dirt=StockDirt(
        duplicate_rate=0.03,
        broken_rate=0.03,
        ignored_rate=0.03,
        unknown_type_rate=0.03,
        bad_number_rate=0.03,
        bad_timestamp_rate=0.03,
        missing_article_rate=0.03,
    ),
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shop")
    write_inventory_logs(out, SETTINGS)
    return out


@pytest.fixture(scope="module")
def checks(shop: Path) -> dict[str, FeedCheck]:
    found, unread = check_source(SOURCE, shop / "logs", ALL_LINES)
    assert unread == []
    return {check.name: check for check in found}


@pytest.mark.parametrize("feed", ["sales", "stock", "supply_orders", "receipts"])
def test_every_line_is_accepted_or_rejected_as_the_shop_says(
    shop: Path, checks: dict[str, FeedCheck], feed: str
) -> None:
    """Counts by reason are those of the shop's own record, to the line."""
    said = json.loads((shop / "delivered.json").read_text())["feeds"][feed]
    found: Counter[str] = Counter()
    for name, n_lines in checks[feed].result()["rejected"].items():
        found[name.split()[0]] += n_lines
    assert found == said["rejected"]
    assert len(found) >= 3
    assert checks[feed].n_lines == said["n_lines"]
    assert checks[feed].n_lines - checks[feed].n_rejected == said["n_accepted"]
    assert checks[feed].empty_fields() == []


def test_products_are_read_whole(shop: Path) -> None:
    """No line of the products table is rejected, and no field empty."""
    (check,) = check_side_tables(SOURCE, shop / "logs", ALL_LINES)
    assert check.name == "items" and not check.n_rejected and check.empty_fields == []
    assert check.n_lines > SETTINGS.n_products


def parsed(feed: str, line: str, header: list[str] | None = None) -> ParsedLine:
    return EventParser(SOURCE.feeds_alone()[feed], header).parse(line, {}, date(2026, 1, 5))


def test_orders_become_an_event_a_product_in_whole_units() -> None:
    """Of nobody, with their number, however many a line holds."""
    line = parsed(
        "supply_orders",
        '{"order": "PO-1", "status": "placed", "placed_ms": 1767596400000, '
        '"lines": [{"sku": "70001", "qty": 12}, {"sku": "70002", "qty": 9007199254740993}]}',
    )
    assert line.refusal is None and line.user_id is None
    told = [(one["event_type"], one["item_id"], one["order_id"], one["quantity"]) for one in line.records]
    assert told == [("order", "70001", "PO-1", 12), ("order", "70002", "PO-1", 9_007_199_254_740_993)]


@pytest.mark.parametrize(
    ("text", "expected"), [("12", 12), ("1.200", 1200), ("9.007.199.254.740.993", 9_007_199_254_740_993), ("12,0", 12)]
)
def test_receipts_are_whole_units(text: str, expected: int) -> None:
    """With points between thousands, and beyond what a float holds."""
    header = ["Beleg", "Gebucht", "Bestellung", "Artikel", "Menge", "Tor"]
    line = parsed("receipts", f"WE1\t2026-01-05T06:00:00+00:00\tPO-1\t70001\t{text}\t1", header)
    assert line.refusal is None
    (event,) = line.records
    assert (event["event_type"], event["item_id"], event["order_id"], event["quantity"]) == (
        "receipt",
        "70001",
        "PO-1",
        expected,
    )


@pytest.mark.parametrize("text", ["12,5", "1.2", "-3", "0"])
def test_what_are_no_units_is_refused(text: str) -> None:
    """Half a piece, and less than one."""
    header = ["Beleg", "Gebucht", "Bestellung", "Artikel", "Menge", "Tor"]
    line = parsed("receipts", f"WE1\t2026-01-05T06:00:00+00:00\tPO-1\t70001\t{text}\t1", header)
    assert line.refusal is not None and line.refusal.reason == "bad_number"


@pytest.mark.parametrize(("units", "expected"), [("12.0", 12), ("0", 0), ("2.5", None), ("-1", None)])
def test_counts_are_whole_units_or_nothing(units: str, expected: int | None) -> None:
    """As a column of floats says them."""
    text = f'{{"count": "Z1", "article": 70001, "counted_at": "2026-01-05T04:30:00+00:00", "on_hand": {units}}}'
    line = EventParser(SOURCE.feeds_alone()["stock"].model_copy(update={"format": "jsonl"}), None).parse(
        text, {}, date(2026, 1, 5)
    )
    if expected is None:
        assert line.refusal is not None and line.refusal.reason == "bad_number"
    else:
        assert [(one["event_type"], one["quantity"]) for one in line.records] == [("stock", expected)]
