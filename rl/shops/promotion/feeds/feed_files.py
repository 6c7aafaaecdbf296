"""Feeds as files: packed JSON lines, delimited text in Latin-1, and Parquet; the same lines give the same bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rl.shops.promotion.feeds.campaign_feed import SCHEMA
from rl.shops.promotion.feeds.feed_lines import FeedLine
from rl.shops.promotion.feeds.order_feed import COLUMNS, DELIMITER, ENCODING
from rl.shops.promotion.week_calendar import MICROSECONDS

N_WEB_FILES = 2

# A cut order line keeps its first columns, those that every order needs among them, and loses at least one.
_KEPT_COLUMNS = 10


def write_web(lines: list[FeedLine], folder: Path, rng: np.random.Generator) -> None:
    """Write the web shop's events of a day as packed JSON lines, in several files."""
    part = rng.integers(0, N_WEB_FILES, len(lines))
    texts = [_json(line, rng) for line in lines]
    for number in range(N_WEB_FILES):
        content = "".join(f"{text}\n" for text, place in zip(texts, part.tolist(), strict=True) if place == number)
        # Without a time in its header, the same lines give the same bytes.
        (folder / f"web-{number}.jsonl.gz").write_bytes(gzip.compress(content.encode(), compresslevel=5, mtime=0))


def write_orders(lines: list[FeedLine], folder: Path, rng: np.random.Generator) -> None:
    """Write the till's export of a day as delimited text with a header, in Latin-1."""
    texts = [DELIMITER.join(COLUMNS), *[_delimited(line, rng) for line in lines]]
    (folder / "orders.csv").write_bytes("".join(f"{text}\n" for text in texts).encode(ENCODING))


def write_campaign(lines: list[FeedLine], folder: Path, rng: np.random.Generator) -> None:
    """Write the campaign tool's log of a day as Parquet; a day without lines has no file."""
    del rng
    if not lines:
        return
    columns: dict[str, list[object]] = {name: [line.record[name] for line in lines] for name in SCHEMA.names}
    columns["contact_cost"] = [Decimal(str(cost)) / MICROSECONDS for cost in columns["contact_cost"]]
    pq.write_table(pa.table(columns, schema=SCHEMA), folder / "campaign.parquet")


WRITERS: dict[str, Callable[[list[FeedLine], Path, np.random.Generator], None]] = {
    "web": write_web,
    "orders": write_orders,
    "campaign": write_campaign,
}


def _json(line: FeedLine, rng: np.random.Generator) -> str:
    text = json.dumps(line.record, ensure_ascii=False)
    # A prefix of an object never parses: what closes it is missing.
    return text[: rng.integers(10, len(text) - 1)] if line.is_cut else text


def _delimited(line: FeedLine, rng: np.random.Generator) -> str:
    values = [str(line.record[name]) for name in COLUMNS]
    if line.is_cut:
        return DELIMITER.join(values[: rng.integers(_KEPT_COLUMNS, len(values))])
    return DELIMITER.join(values)
