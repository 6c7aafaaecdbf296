"""Rows that learning wrote, published: Parquet behind a pointer with a manifest, and a CSV file beside it."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq

from conf.intact_files import damage_in, note_whole, sums_of
from conf.paths import Lake
from conf.publication import Manifest, Pointer, publishing, read_pointer, refuse_stale, swap_pointer, write_atomically
from conf.shared_lake.sharing import shared
from conf.tables import SCHEMA_VERSION, Table

_BITS = 128


def rows_hash(table: pa.Table) -> str:
    """Return row count and order-free 128-bit sum of the rows' hashes."""
    total = 0
    for row in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        total += int.from_bytes(sha256(repr(row).encode("utf-8")).digest()[: _BITS // 8])
    return f"{table.num_rows}-{total % (1 << _BITS):032x}"


class Origin(Protocol):
    """What a list was made from: see the fields of `Manifest`."""

    @property
    def horizon(self) -> date: ...

    @property
    def spec_hash(self) -> str: ...

    @property
    def code_hash(self) -> str: ...

    @property
    def key_id(self) -> str: ...

    @property
    def inputs(self) -> Mapping[str, str]: ...


def list_manifest(
    table: Table,
    as_of: date,
    rows: pa.Table,
    origin: Origin,
    *,
    counters: Mapping[str, int],
    checks: Mapping[str, bool],
) -> Manifest:
    """Return the manifest of a list that is decided for a day.

    Args:
        table: that the list is a partition of.
        as_of: day that it is decided for.
        rows: of it.
        origin: what it was made from.
        counters: what was counted, by name.
        checks: what holds of it, by name.
    """
    return Manifest(
        table=table.name,
        partition=f"as_of={as_of}",
        schema_version=SCHEMA_VERSION,
        n_rows=rows.num_rows,
        content_hash=rows_hash(rows),
        spec_hash=origin.spec_hash,
        code_hash=origin.code_hash,
        key_id=origin.key_id,
        horizon=origin.horizon,
        inputs=dict(origin.inputs),
        counters=dict(counters),
        checks=dict(checks),
    )


def publish_rows(
    lake: Lake, folder: Path, table: pa.Table, manifest: Manifest, *, csv: Path, plain: pa.Table
) -> tuple[Pointer, bool]:
    """Publish the rows of a partition and write their CSV; return the pointer, and whether anything changed.

    The same rows from the same inputs that lie there whole stay as they are.

    Args:
        lake: whose lock is held meanwhile.
        folder: of the table.
        table: the rows.
        manifest: of the version, whose content hash is that of the rows.
        csv: file beside the table.
        plain: the rows as the CSV file holds them.

    Raises:
        StaleInputs: what is published was made from more inputs.
    """
    file = f"v-{manifest.content_hash}/{manifest.partition}/part-00000.parquet"
    with publishing(lake.lock):
        pointer_file = Lake.pointer(folder, manifest.partition)
        before = read_pointer(pointer_file)
        if before is not None and before.manifest == manifest and not damage_in(folder, before.sums):
            write_csv(csv, plain)
            return before, False
        _write_parquet(folder, file, table)
        sums = sums_of(folder, [file])
        note_whole(folder, sums)
        pointer = Pointer(files=(file,), manifest=manifest, sums=sums)
        refuse_stale(pointer_file, pointer)
        with shared(lake.lock, {pointer_file: pointer}, whole_tables=True):
            swap_pointer(pointer_file, pointer)
        write_csv(csv, plain)
    return pointer, True


def _write_parquet(folder: Path, file: str, table: pa.Table) -> None:
    """Write the version's file aside, durably, and move its folder into place."""
    target = (folder / file).parent
    staging = Lake.staging(folder) / f"{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    draft = staging / target.name / Path(file).name
    draft.parent.mkdir()
    pq.write_table(table, draft, version="2.6", coerce_timestamps="us")
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)  # damaged, or left by a run that was ended before its pointer
    draft.parent.rename(target)
    shutil.rmtree(staging)


def write_csv(path: Path, plain: pa.Table) -> None:
    """Write the rows as a CSV file, whole or not at all; values are quoted where they need it."""
    out = io.BytesIO()
    pv.write_csv(plain, out, pv.WriteOptions(quoting_style="needed"))
    write_atomically(path, out.getvalue().decode("utf-8"))
