"""Lakes of events straight from rows, published through pointers as ingestion does."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf.intact_files import sums_of
from conf.paths import Lake
from conf.publication import Manifest, Pointer, swap_pointer
from conf.tables import CONSENT, EVENTS, Table
from rl.data.arrow_schema import arrow_schema

FIRST = date(2026, 1, 5)


def event(user, day, kind="view", *, delivered=None, **values):
    """An event of a day from 0, delivered on the same day."""
    columns = {column.name: None for column in EVENTS.columns}
    at = datetime.combine(FIRST + timedelta(days=day), time(12), tzinfo=UTC)
    given = {"event_id": f"{user}-{day}-{kind}", "event_time": at, "user_id": user, "event_type": kind, "line_part": 0}
    return day, day if delivered is None else delivered, columns | given | values


def write_events(lake: Lake, rows, *, n_days: int, key_id: str = "key") -> None:
    """Publish a delivery for each day."""
    cells = defaultdict(list)
    for day, delivered, row in rows:
        cells[delivered, day].append(row)
    for delivered in range(n_days):
        own = {day: found for (at, day), found in cells.items() if at == delivered}
        parts = {f"event_date={FIRST + timedelta(days=day)}/user_bucket=0": found for day, found in own.items()}
        publish(lake, EVENTS, FIRST + timedelta(days=delivered), parts, key_id=key_id)


def write_consent(lake: Lake, delivered: int, rows) -> None:
    """Publish what a delivery says: user, day from which it holds, whether it is given."""
    found = [
        {
            "user_id": user,
            "valid_from": datetime.combine(FIRST + timedelta(days=day), time(), tzinfo=UTC),
            "is_given": is_given,
        }
        for user, day, is_given in rows
    ]
    publish(lake, CONSENT, FIRST + timedelta(days=delivered), {"": found})


def publish(lake: Lake, table: Table, delivered: date, parts, *, key_id: str = "key") -> None:
    folder, partition = lake.table(table.name), f"delivery_date={delivered}"
    digest = sha256(repr(parts).encode()).hexdigest()[:32]
    files = []
    for place, rows in parts.items():
        file = "/".join(one for one in (f"v-{digest}", partition, place, "part-00000.parquet") if one)
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=arrow_schema(table)), folder / file)
        files.append(file)
    n_rows = sum(len(rows) for rows in parts.values())
    manifest = Manifest(
        table=table.name,
        partition=partition,
        schema_version=1,
        n_rows=n_rows,
        content_hash=f"{n_rows}-{digest}",
        spec_hash="spec",
        code_hash="code",
        key_id=key_id,
        horizon=delivered,
        inputs={"ids/keyed": "yes"},
    )
    pointer = Pointer(files=tuple(files), manifest=manifest, sums=sums_of(folder, files))
    swap_pointer(Lake.pointer(folder, partition), pointer)


def write_purchases(lake: Lake, bought) -> None:
    """Publish purchases of shoppers on days, `(n_shoppers, n_days)`, each of one piece at 10."""
    shopper, day = np.nonzero(bought)
    rows = [
        event(f"s{one:06d}", int(at), "purchase", price=10_000_000, quantity=1, currency="EUR")
        for one, at in zip(shopper, day, strict=True)
    ]
    write_events(lake, rows, n_days=bought.shape[1])
