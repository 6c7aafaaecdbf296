"""The published histories of a scenario, read for a store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from conf.kernel.arrays import IntArray, changes
from conf.kernel.calendar import day_number
from conf.publication import Pointer, read_pointers
from conf.tables import HISTORIES

_AS_OF = "as_of="


@dataclass(frozen=True)
class PublishedHistories:
    """One published partition.

    Attributes:
        folder: of the table.
        as_of: the day for whose decisions it is.
        pointer: its files and its manifest.
    """

    folder: Path
    as_of: date
    pointer: Pointer

    @property
    def as_of_day(self) -> int:
        """The day for whose decisions it is, days since the epoch."""
        return day_number(self.as_of)

    @property
    def digest(self) -> str:
        """Names what it holds and for which day: the same for the same rows."""
        return f"{self.as_of}-{self.pointer.manifest.content_hash}"

    def rows(self) -> Iterator[tuple[str, IntArray]]:
        """Yield each shopper's pseudonym and HISTORY_COLUMNS."""
        names = HISTORIES.column_names
        schema = pa.schema([(name, pa.string() if name == "user_id" else pa.int64()) for name in names])
        tables = [_exact(pq.ParquetFile(self.folder / file).read(columns=names), schema) for file in self.pointer.files]
        table = pa.concat_tables([*tables, schema.empty_table()])
        order = [(name, "ascending") for name in ("user_id", "day", "visible_from", "category_hash")]
        table = table.sort_by(order).combine_chunks()
        codes = table["user_id"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
        rows = np.stack([table[name].to_numpy() for name in names[1:]], axis=1)
        starts = np.append(np.flatnonzero(changes(codes)), len(codes)) if len(codes) else np.zeros(1, dtype=np.int64)
        shoppers = table["user_id"].take(pa.array(starts[:-1])).to_pylist()
        for shopper, first, end in zip(shoppers, starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            yield shopper, rows[first:end]


def newest_histories(folder: Path, *, last_day: int) -> PublishedHistories | None:
    """Return the newest partition that is not for a day after the last one; None where there is none.

    Args:
        folder: of the table.
        last_day: business day, days since the epoch.
    """
    dated = {date.fromisoformat(name.removeprefix(_AS_OF)): pointer for name, pointer in read_pointers(folder).items()}
    known = [day for day in dated if day_number(day) <= last_day]
    return PublishedHistories(folder, max(known), dated[max(known)]) if known else None


def _exact(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the table with dates as days since the epoch."""
    columns = [
        column.cast(pa.int32()).cast(pa.int64()) if pa.types.is_date(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names).cast(schema)
