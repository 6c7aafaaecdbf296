"""The exact units and money of what was delivered, by product and day, to hold any reader of the files to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rl.data.logged_episodes import IntArray
from rl.shops.inventory.feeds.stock_lines import Sale, StockLine, article
from rl.shops.inventory.stock_days import StockDays

UNITS = ("opening", "ordered", "received", "sold", "shrinkage", "closing")
MONEY = ("amount", "cost", "refunded_amount")


@dataclass
class StockRecord:
    """Units and money of each product and day.

    Attributes:
        days: what happened.
        money: of sales on each day, millionths, and of what is refunded of them, `(n_products, n_days)` by name.
        is_counted: whether the morning's count was delivered.
        has_gap: whether some line of the day's units was never delivered, since the log ended first.
    """

    days: StockDays
    money: dict[str, IntArray] = field(init=False)

    def __post_init__(self) -> None:
        shape = self.days.opening.shape
        self.money = {name: np.zeros(shape, dtype=np.int64) for name in MONEY}
        self.is_counted = np.zeros(shape, dtype=np.bool_)
        self.has_gap = np.zeros(shape, dtype=np.bool_)

    def add_sales(self, sales: Iterable[Sale]) -> None:
        """Add the money of delivered lines of the till, a refund's to the day of its purchase."""
        for sale in sales:
            if sale.is_refund:
                self.money["refunded_amount"][sale.product, sale.day] += sale.amount
            else:
                self.money["amount"][sale.product, sale.day] += sale.amount
                self.money["cost"][sale.product, sale.day] += sale.cost

    def add_counts(self, lines: Iterable[StockLine]) -> None:
        """Note which morning counts were delivered."""
        first = article(0)
        for line in lines:
            if line.kind != "recount":
                number = line.record["article"]
                self.is_counted[int(str(number)) - first, line.day] = True

    def note_gap(self, product: int, day: int) -> None:
        """Note that a line with units of the product's day isn't delivered."""
        self.has_gap[product, day] = True

    def write(self, path: Path) -> None:
        """Write a row for each product and day in the range, with the demand that no log shows.

        Columns: article and day; `opening`, `ordered`, `received`, `sold`, `shrinkage`, `closing` in units; `amount`,
        `cost` and `refunded_amount` of the day's sales in millionths; `ran_out`; `is_counted`, whether the morning's
        count was delivered; `has_gap`, whether the log ended before a late line of the day; `demand`, the truth.
        """
        days = self.days
        product, day = np.nonzero(days.is_in_range)
        first = np.datetime64(days.settings.first_day)
        columns: dict[str, object] = {
            "article": [str(article(one)) for one in product.tolist()],
            "day": pa.array(first + day).cast(pa.date32()),
            **{name: getattr(days, name)[product, day] for name in UNITS},
            **{name: values[product, day] for name, values in self.money.items()},
            "ran_out": days.ran_out[product, day],
            "is_counted": self.is_counted[product, day],
            "has_gap": self.has_gap[product, day],
            "demand": days.demand[product, day],
        }
        pq.write_table(pa.table(columns), path)
