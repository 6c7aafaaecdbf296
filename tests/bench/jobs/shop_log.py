"""The log of a shop with heavy-tailed shoppers and items, as CSV or gzip JSON lines: a file a day."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

FIRST, N_DAYS = date(2026, 3, 1), 30
CART_SHARE, PURCHASE_SHARE = 0.03, 0.01
EVENTS_A_SHOPPER, EVENTS_AN_ITEM, N_CATEGORIES = 12, 60, 300
TAIL = 1.3
"""Shape of the Pareto law that the visits of shoppers and the popularity of items follow."""

SECONDS_BETWEEN = 40
"""Mean seconds between two events of a visit."""


def write_log(
    folder: Path, n_events: int, form: str, *, n_days: int = N_DAYS, heavy_share: float = 0.0, seed: int = 1
) -> None:
    """Write a log of about that many events, a file a day; no two of them share a moment.

    So the order of events rests on no id, and whoever reads the log without hashing gets the same order.

    Args:
        folder: where the files go.
        n_events: of all days.
        form: `csv` or `jsonl` (which is packed).
        n_days: that the log has.
        heavy_share: of the events that one shopper has.
        seed: of the random draws.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(n_days):
        rng = np.random.default_rng([seed, number])
        day = _day(rng, FIRST + timedelta(days=number), n_events // n_days, n_events, heavy_share)
        name = f"events-{FIRST + timedelta(days=number)}"
        if form == "csv":
            pa.csv.write_csv(day, folder / f"{name}.csv", pa.csv.WriteOptions(quoting_style="none"))
        else:
            with gzip.open(folder / f"{name}.jsonl.gz", "wb", compresslevel=4) as file:
                file.write(_json_lines(day))


def _day(rng: np.random.Generator, day: date, n_events: int, n_in_all: int, heavy_share: float) -> pa.Table:
    n_shoppers, n_items = max(1, n_in_all // EVENTS_A_SHOPPER), max(1, n_in_all // EVENTS_AN_ITEM)
    visit = _visits(rng, n_events)
    n_visits = int(visit[-1]) + 1
    shopper = _heavy_tailed(rng, n_visits, n_shoppers)[visit]
    shopper[rng.random(n_events) < heavy_share] = n_shoppers
    first = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    start = rng.integers(0, 20 * 3_600_000, n_visits)[visit]
    time = first + (start + np.cumsum(rng.exponential(SECONDS_BETWEEN * 1000, n_events)).astype(np.int64) % 14_000_000)
    item = _heavy_tailed(rng, n_events, n_items)
    kind = np.searchsorted([1 - CART_SHARE - PURCHASE_SHARE, 1 - PURCHASE_SHARE], rng.random(n_events), side="right")
    order = np.argsort(time, kind="stable")
    place = np.arange(n_events)
    moments = np.maximum.accumulate(time[order] - place) + place
    cents = pa.array((199 + item * 37 % 20_000)[order])
    price = pc.binary_join_element_wise(
        pc.cast(pc.divide(cents, 100), pa.string()),
        pc.utf8_lpad(pc.cast(pa.array(((199 + item * 37 % 20_000) % 100)[order]), pa.string()), 2, "0"),
        ".",
    )
    return pa.table(
        {
            "timestamp": moments,
            "visitorid": pa.array(shopper[order]),
            "event": pa.array(["view", "addtocart", "transaction"]).take(pa.array(kind[order])),
            "itemid": pa.array(item[order]),
            "categoryid": pa.array((item % N_CATEGORIES)[order]),
            "price": price,
        }
    )


def _visits(rng: np.random.Generator, n_events: int) -> np.ndarray:
    """Return the number of each event's visit; visits have some eight events."""
    starts = rng.random(n_events) < 1 / 8
    starts[0] = False
    return np.cumsum(starts)


def _heavy_tailed(rng: np.random.Generator, n: int, n_known: int) -> np.ndarray:
    """Return numbers below `n_known`, small ones far more often."""
    return np.minimum((rng.pareto(TAIL, n) * n_known / 50).astype(np.int64), n_known - 1) * 7919 % n_known


def _json_lines(day: pa.Table) -> bytes:
    text = [pc.cast(day[name], pa.string()) for name in day.column_names]
    quoted = [
        pc.binary_join_element_wise(
            f'"{name}": "' if name in _TEXTS else f'"{name}": ', one, '"' if name in _TEXTS else "", ""
        )
        for name, one in zip(day.column_names, text, strict=True)
    ]
    lines = pc.binary_join_element_wise("{", pc.binary_join_element_wise(*quoted, ", "), "}\n", "")
    return "".join(lines.to_pylist()).encode()


_TEXTS = ("visitorid", "event", "itemid", "categoryid")
