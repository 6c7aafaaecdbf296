"""Daily units of a real log's products, read with Arrow alone, by the rules of `conf/sources/online_retail.yaml`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray

_COLUMNS = {
    "InvoiceNo": pa.string(),
    "StockCode": pa.string(),
    "Quantity": pa.int64(),
    "UnitPrice": pa.float64(),
    "CustomerID": pa.string(),
}


@dataclass(frozen=True)
class RealDays:
    """What was sold, by product and calendar day.

    Attributes:
        items: names of the products, `(n_products,)`.
        units: sold, `(n_products, n_days)`.
        price: mean price of a unit, `(n_products,)`.
        first: date of the first day.
        is_open: days with a delivery, `(n_days,)`.
        n_lines: read.
        n_sales: lines that are sales by the source's rules.
        n_cancelled: of them, lines that the same shopper cancelled in full on the same day, whose goods never left.
    """

    items: tuple[str, ...]
    units: IntArray
    price: FloatArray
    first: date
    is_open: BoolArray
    n_lines: int
    n_sales: int
    n_cancelled: int

    def day(self, when: date) -> int:
        """Return the index of a date."""
        return (when - self.first).days

    @property
    def weekday(self) -> IntArray:
        """Monday is 0, `(n_days,)`."""
        return (self.first.weekday() + np.arange(self.units.shape[1])) % 7

    def most_sold(self, n_products: int, n_days: int) -> RealDays:
        """Return the products with the most revenue in the first days, which alone are looked at to choose them."""
        revenue = self.price * self.units[:, :n_days].sum(axis=1)
        rows = np.sort(np.argsort(-revenue, kind="stable")[:n_products])
        return RealDays(
            tuple(self.items[row] for row in rows.tolist()),
            self.units[rows],
            self.price[rows],
            self.first,
            self.is_open,
            self.n_lines,
            self.n_sales,
            self.n_cancelled,
        )


def read_days(folder: Path) -> RealDays:
    """Return the daily units of all products of the folder's dated files.

    A line is a sale or a refund as the source has it: a customer, a product, a price above 0, a number of units other
    than 0. Refunds don't lower demand; a sale that is cancelled in full on its very day is none.
    """
    files = {date.fromisoformat(path.name[:10]): path for path in sorted(folder.glob("*.csv*"))}
    first = min(files)
    parts = [_read(path, (when - first).days) for when, path in files.items()]
    lines = pa.concat_tables(parts)
    known = lines.filter(_is_complete(lines))
    sales = known.filter(pc.match_substring_regex(known["InvoiceNo"], "^[0-9]+$"))
    refunds = known.filter(pc.starts_with(known["InvoiceNo"], "C"))
    kept = sales.filter(_is_kept(sales, refunds))
    codes = kept["StockCode"].combine_chunks().dictionary_encode()
    order = np.argsort(np.array(codes.dictionary.to_pylist()))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    rows, quantity = place[codes.indices.to_numpy()], kept["Quantity"].to_numpy()
    units = np.zeros((len(order), (max(files) - first).days + 1), dtype=np.int64)
    money = np.zeros(len(order))
    np.add.at(units, (rows, kept["day"].to_numpy()), quantity)
    np.add.at(money, rows, quantity * kept["UnitPrice"].to_numpy())
    return RealDays(
        tuple(np.array(codes.dictionary.to_pylist())[order].tolist()),
        units,
        money / units.sum(axis=1),
        first,
        np.array([first + timedelta(days=day) in files for day in range(units.shape[1])]),
        len(lines),
        len(sales),
        len(sales) - len(kept),
    )


def _read(path: Path, day: int) -> pa.Table:
    options = pa_csv.ConvertOptions(column_types=_COLUMNS, include_columns=list(_COLUMNS), strings_can_be_null=True)
    found = pa_csv.read_csv(path, convert_options=options, read_options=pa_csv.ReadOptions(encoding="utf-8"))
    found = found.set_column(2, "Quantity", pc.abs(found["Quantity"]))
    return found.append_column("day", pa.array(np.full(len(found), day)))


def _is_complete(lines: pa.Table) -> Any:
    is_given = pc.and_(pc.is_valid(lines["CustomerID"]), pc.is_valid(lines["StockCode"]))
    is_worth = pc.and_(pc.greater(lines["UnitPrice"], 0), pc.greater_equal(lines["Quantity"], 1))
    return pc.and_(is_given, is_worth)


def _is_kept(sales: pa.Table, refunds: pa.Table) -> BoolArray:
    """Return which sales weren't cancelled in full on the same day, `(n_sales,)`."""
    cancelled = Counter(_keys(refunds).to_pylist())
    keys = _keys(sales)
    kept = np.ones(len(sales), dtype=bool)
    found = pc.is_in(keys, value_set=pa.array(list(cancelled), pa.string())).to_numpy(zero_copy_only=False)
    for row in np.flatnonzero(found).tolist():
        key = keys[row].as_py()
        if cancelled[key] > 0:
            cancelled[key] -= 1
            kept[row] = False
    return kept


def _keys(lines: pa.Table) -> pa.Array:
    """Return shopper, product, units and day of each line as one string, `(n,)`."""
    text = [
        lines["CustomerID"],
        lines["StockCode"],
        *(pc.cast(lines[name], pa.string()) for name in ("Quantity", "day")),
    ]
    return pc.binary_join_element_wise(*text, "|").combine_chunks()
