"""Feeds as files: the till's text in Latin-1, counts as Parquet, orders as packed JSON lines, receipts with tabs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rl.shops.inventory.feeds.stock_lines import StockLine, article
from rl.shops.inventory.stock_days import StockDays
from rl.shops.promotion.feeds.feed_lines import decimal_comma

SALES_COLUMNS = ("Bon", "Art", "Zeitpunkt", "Kunde", "Artikel", "Menge", "Betrag", "Wareneinsatz", "Währung")
RECEIPT_COLUMNS = ("Beleg", "Gebucht", "Bestellung", "Artikel", "Menge", "Tor")
COUNT_SCHEMA = pa.schema(
    [
        ("count", pa.string()),
        ("article", pa.int64()),
        ("counted_at", pa.timestamp("us", "UTC")),
        ("on_hand", pa.float64()),
    ]
)
PRODUCT_HEADER = "Artikel;Warengruppe;Preis;Einstand;VPE;gültig_ab"
PRODUCT_FILE = "products.csv"

# A cut line keeps its first columns, those that every line needs among them, and loses at least one.
_KEPT_SALES_COLUMNS, _KEPT_RECEIPT_COLUMNS = 7, 5


def write_sales(lines: list[StockLine], folder: Path, rng: np.random.Generator) -> None:
    """Write the till's export of a day as text with semicolons and a header, in Latin-1."""
    texts = [
        ";".join(SALES_COLUMNS),
        *[_delimited(line, SALES_COLUMNS, ";", _KEPT_SALES_COLUMNS, rng) for line in lines],
    ]
    (folder / "sales.csv").write_bytes("".join(f"{text}\n" for text in texts).encode("latin-1"))


def write_counts(lines: list[StockLine], folder: Path, rng: np.random.Generator) -> None:
    """Write the warehouse's counts of a day as Parquet; a day without lines has no file."""
    del rng
    if lines:
        columns = {name: [line.record[name] for line in lines] for name in COUNT_SCHEMA.names}
        pq.write_table(pa.table(columns, schema=COUNT_SCHEMA), folder / "stock.parquet")


def write_supplier_orders(lines: list[StockLine], folder: Path, rng: np.random.Generator) -> None:
    """Write the day's orders to suppliers as packed JSON lines."""
    texts = []
    for line in lines:
        text = json.dumps(line.record, ensure_ascii=False)
        # A prefix of an object never parses: what closes it is missing.
        texts.append(text[: rng.integers(10, len(text) - 1)] if line.is_cut else text)
    content = "".join(f"{text}\n" for text in texts)
    # Without a time in its header, the same lines give the same bytes.
    (folder / "supply.jsonl.gz").write_bytes(gzip.compress(content.encode(), compresslevel=5, mtime=0))


def write_receipts(lines: list[StockLine], folder: Path, rng: np.random.Generator) -> None:
    """Write what came in on a day as text with tabs and a header."""
    texts = [
        "\t".join(RECEIPT_COLUMNS),
        *[_delimited(line, RECEIPT_COLUMNS, "\t", _KEPT_RECEIPT_COLUMNS, rng) for line in lines],
    ]
    (folder / "receipts.tsv").write_bytes("".join(f"{text}\n" for text in texts).encode())


WRITERS: dict[str, Callable[[list[StockLine], Path, np.random.Generator], None]] = {
    "sales": write_sales,
    "stock": write_counts,
    "supply_orders": write_supplier_orders,
    "receipts": write_receipts,
}


def product_lines(days: StockDays, first_change: int = 0) -> dict[int, list[str]]:
    """Return the lines of the products table by the day of their delivery: prices are told before they hold.

    Only prices that hold from the first change on are told.

    A product's regular price is told as it comes into the range, or with the first delivery; each promotion's first day
    and the day after its last have a line with the price from then on, told some days before.
    """
    found: dict[int, list[str]] = {}
    settings, products = days.settings, days.products
    for product in range(settings.n_products):
        first = int(products.first_day[product])
        if first >= first_change:
            found.setdefault(max(first - settings.notice_days, 0), []).append(_product(days, product, first))
        promoted = products.is_promoted[product, : settings.n_days]
        for day in (np.flatnonzero(promoted[1:] != promoted[:-1]) + 1).tolist():
            if day > first and day >= first_change:
                told = max(day - settings.notice_days, 0)
                found.setdefault(told, []).append(_product(days, product, day))
    return found


def _product(days: StockDays, product: int, day: int) -> str:
    products = days.products
    values = (
        str(article(product)),
        f"wg-{int(products.category[product])}",
        decimal_comma(int(products.price_on(day)[product]), 2),
        decimal_comma(int(products.cost[product]), 4),
        str(int(products.pack[product])),
        (days.settings.first_day + timedelta(days=day)).strftime("%d.%m.%Y 00:00:00"),
    )
    return ";".join(values)


def _delimited(line: StockLine, columns: tuple[str, ...], delimiter: str, n_kept: int, rng: np.random.Generator) -> str:
    values = [str(line.record[name]) for name in columns]
    return delimiter.join(values[: rng.integers(n_kept, len(values))] if line.is_cut else values)
