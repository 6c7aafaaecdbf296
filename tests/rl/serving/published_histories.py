"""Histories published as the observe job does, without Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq

from conf.paths import Lake
from conf.publication import Manifest, Pointer, swap_pointer
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash

EPOCH = date(1970, 1, 1)


def publish_histories(
    lake: Lake, pipeline: Pipeline, as_of: date, rows: Mapping[str, Sequence[tuple[int, int, int, int, int, int]]]
) -> str:
    """The shoppers' rows (see HISTORY_COLUMNS) are current; the content hash."""
    spec = data_spec_hash(pipeline)
    folder = lake.histories(pipeline.scenario.name, spec)
    flat = [(shopper, *row) for shopper, its in rows.items() for row in its]
    names = ["user_id", "day", "visible_from", "category_hash", "n_clicks", "n_purchases", "n_engagements"]
    columns = [list(column) for column in zip(*flat, strict=True)] if flat else [[] for _ in names]
    dated = [pa.array(days, pa.int32()).cast(pa.date32()) for days in columns[1:3]]
    counts = [pa.array(column, pa.int64()) for column in columns[3:]]
    digest = f"{len(flat)}-{sha256(repr(flat).encode()).hexdigest()[:32]}"
    file = folder / f"as_of={as_of}" / f"v={digest}" / "part-0.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table([pa.array(columns[0], pa.string()), *dated, *counts], names=names), file)
    manifest = Manifest(
        table="histories",
        partition=f"as_of={as_of}",
        schema_version=1,
        n_rows=len(flat),
        content_hash=digest,
        spec_hash=spec,
        code_hash="code",
        key_id="key",
        horizon=as_of - timedelta(days=1),
        inputs={digest: "yes"},
    )
    pointer = Pointer(files=(str(file.relative_to(folder)),), manifest=manifest)
    swap_pointer(Lake.pointer(folder, f"as_of={as_of}"), pointer)
    return digest


def day_of(day: date) -> int:
    return (day - EPOCH).days
