"""Deliveries hold every real line, the dirt that the record says, and the exact units and money."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from rl.errors import ShopError
from rl.shops.inventory.inventory_settings import SHOP_FILE, InventorySettings, StockDirt
from rl.shops.inventory.writer import write_inventory_logs

BERLIN = ZoneInfo("Europe/Berlin")
# Over the end of summer time, on 26 October 2025.
DIRTY = InventorySettings(
    first_day=date(2025, 10, 6),
    n_days=42,
    n_products=25,
    seed=3,
    refund_share=0.05,
    dirt=StockDirt(
        duplicate_rate=0.04,
        late_rate=0.03,
        broken_rate=0.03,
        ignored_rate=0.03,
        unknown_type_rate=0.03,
        bad_number_rate=0.03,
        bad_timestamp_rate=0.03,
        missing_article_rate=0.03,
        missed_count_rate=0.02,
        recount_rate=0.03,
    ),
)
Cell = tuple[str, date]


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop's deliveries with a lot of dirt."""
    out = tmp_path_factory.mktemp("dirty")
    write_inventory_logs(out, DIRTY)
    return out


def record(shop: Path) -> dict[Cell, dict[str, Any]]:
    return {(row["article"], row["day"]): row for row in pq.read_table(shop / "stock_days.parquet").to_pylist()}


def delimited(logs: Path, name: str, delimiter: str, encoding: str) -> Iterator[dict[str, str]]:
    """Whole lines, each once, by its first column and what it is."""
    seen: set[tuple[str, ...]] = set()
    for file in sorted(logs.glob(f"*/{name}")):
        header, *lines = file.read_bytes().decode(encoding).splitlines()
        for line in lines:
            values = line.split(delimiter)
            row = dict(zip(header.split(delimiter), values, strict=False))
            key = (values[0], row.get("Art", ""))
            if len(values) == len(header.split(delimiter)) and key not in seen and "X" not in values[0]:
                seen.add(key)
                yield row


def number(text: str) -> Decimal:
    return Decimal(text.replace(".", "").replace(",", "."))


def sales(logs: Path) -> list[dict[str, str]]:
    return list(delimited(logs, "sales.csv", ";", "latin-1"))


def test_sold_units_and_money_of_the_files_are_the_record(dirty: Path) -> None:
    """Summed by a plain reader of the till's lines, by product and day; refunds count on the day of their purchase."""
    units: Counter[Cell] = Counter()
    money: dict[str, Counter[Cell]] = {name: Counter() for name in ("amount", "cost", "refunded_amount")}
    days: dict[str, date] = {}
    rows = sales(dirty / "logs")
    for row in sorted(rows, key=lambda one: one["Art"]):
        at = datetime.strptime(row["Zeitpunkt"], "%d.%m.%Y %H:%M:%S").date()
        day = days.setdefault(row["Bon"], at)
        cell, amount = (row["Artikel"], day), int(abs(number(row["Betrag"])) * 1_000_000)
        if row["Art"] == "R":
            money["refunded_amount"][cell] += amount
            continue
        units[cell] += int(number(row["Menge"]))
        money["amount"][cell] += amount
        money["cost"][cell] += int(number(row["Wareneinsatz"]) * 1_000_000)
    kept = record(dirty)
    assert sum(units.values()) > 3_000 and sum(money["refunded_amount"].values()) > 0
    for name, sums in money.items():
        assert {cell: row[name] for cell, row in kept.items() if row[name]} == +sums
    whole = {cell: row for cell, row in kept.items() if not row["has_gap"]}
    assert {cell: row["sold"] for cell, row in whole.items() if row["sold"]} == {
        cell: n for cell, n in units.items() if cell in whole
    }


def test_orders_and_receipts_of_the_files_are_the_record(dirty: Path) -> None:
    """Units by product and day, in whichever delivery they came."""
    ordered: dict[tuple[str, str], tuple[Cell, int]] = {}
    for file in sorted((dirty / "logs").glob("*/supply.jsonl.gz")):
        for text in gzip.decompress(file.read_bytes()).decode().splitlines():
            try:
                row = json.loads(text)
            except ValueError:
                continue
            if "X" not in row["order"]:
                day = datetime.fromtimestamp(row["placed_ms"] / 1000, BERLIN).date()
                for line in row["lines"]:
                    ordered[row["order"], line["sku"]] = (line["sku"], day), line["qty"]
    received: Counter[Cell] = Counter()
    for row in delimited(dirty / "logs", "receipts.tsv", "\t", "utf-8"):
        day = datetime.fromisoformat(row["Gebucht"]).astimezone(BERLIN).date()
        received[row["Artikel"], day] += int(number(row["Menge"]))
    kept = {cell: row for cell, row in record(dirty).items() if not row["has_gap"]}
    of_orders = {cell: n for cell, n in ordered.values() if cell in kept}
    assert {cell: row["ordered"] for cell, row in kept.items() if row["ordered"]} == of_orders
    assert {cell: row["received"] for cell, row in kept.items() if row["received"]} == {
        cell: n for cell, n in received.items() if cell in kept
    }


def test_counts_are_what_the_record_says_was_counted(dirty: Path) -> None:
    """The first count of each morning is the opening stock; the missed ones are in no file."""
    found: dict[Cell, tuple[datetime, float]] = {}
    for file in sorted((dirty / "logs").glob("*/stock.parquet")):
        for row in pq.read_table(file).to_pylist():
            if "X" in row["count"]:
                continue
            cell = (str(row["article"]), row["counted_at"].astimezone(BERLIN).date())
            found[cell] = min(
                found.get(cell, (datetime.max.replace(tzinfo=UTC), 0.0)), (row["counted_at"], row["on_hand"])
            )
    kept = record(dirty)
    counted = {cell: row["opening"] for cell, row in kept.items() if row["is_counted"]}
    assert len(counted) < len(kept)
    early = {cell: units for cell, (at, units) in found.items() if at.astimezone(BERLIN).hour == 5}
    assert early == counted


def test_units_account_for_themselves(dirty: Path) -> None:
    """From one day's count to the next, over the whole record."""
    kept = record(dirty)
    for (article, day), row in kept.items():
        assert row["opening"] + row["received"] - row["sold"] - row["shrinkage"] == row["closing"]
        following = kept.get((article, day + timedelta(days=1)))
        assert following is None or following["opening"] == row["closing"]
        assert row["sold"] <= row["demand"]
        assert row["sold"] == row["demand"] or row["ran_out"]


def test_prices_are_told_before_they_hold(dirty: Path) -> None:
    """Promotions stand in a delivery before their first day, but those that begin with the log."""
    told: list[tuple[date, datetime]] = []
    for file in sorted((dirty / "logs").glob("*/products.csv")):
        for line in file.read_text(encoding="latin-1").splitlines()[1:]:
            valid = datetime.strptime(line.split(";")[-1], "%d.%m.%Y %H:%M:%S")
            told.append((date.fromisoformat(file.parent.name), valid))
    assert all(day <= valid.date() for day, valid in told)
    assert any(valid.date() - day == timedelta(days=DIRTY.notice_days) for day, valid in told)


def test_record_counts_every_kind_of_dirt(dirty: Path) -> None:
    """Each kind that a feed can have is in its files, and rejected lines are those that the record says."""
    said = json.loads((dirty / "delivered.json").read_text())["feeds"]
    assert {"late", "duplicate_next_delivery", "broken", "unknown_type", "ignored"} <= set(said["sales"]["kinds"])
    assert "recount" in said["stock"]["kinds"] and "bad_number" in said["supply_orders"]["kinds"]
    n_lines = sum(len(file.read_bytes().splitlines()) - 1 for file in (dirty / "logs").glob("*/receipts.tsv"))
    assert n_lines == said["receipts"]["n_lines"]


def test_same_settings_give_the_same_bytes(dirty: Path, tmp_path: Path) -> None:
    """Down to the last file."""
    write_inventory_logs(tmp_path, DIRTY)

    def digests(folder: Path) -> dict[str, str]:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert digests(tmp_path) == digests(dirty)
    assert SHOP_FILE.load(tmp_path) == DIRTY


def test_without_dirt_every_line_is_on_time(tmp_path: Path) -> None:
    """And the record has no gap."""
    write_inventory_logs(tmp_path, InventorySettings(n_days=28, n_products=5, dirt=StockDirt.none()))
    said = json.loads((tmp_path / "delivered.json").read_text())["feeds"]
    assert all(set(feed["kinds"]) == {"on_time"} for feed in said.values())
    assert all(row["is_counted"] and not row["has_gap"] for row in record(tmp_path).values())


def test_what_is_no_shop_is_named(tmp_path: Path) -> None:
    """A folder without settings, and a file that isn't one."""
    with pytest.raises(ShopError, match="simulate-inventory"):
        SHOP_FILE.load(tmp_path)
    (tmp_path / "inventory_shop.json").write_text("{}x")
    with pytest.raises(ShopError, match="not the settings"):
        SHOP_FILE.load(tmp_path)
