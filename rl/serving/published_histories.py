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
from conf.kernel.stream import NO_ID
from conf.observation_features import id_hash
from conf.publication import Pointer, read_pointers
from conf.tables import HISTORIES
from rl.serving.histories import ATTRIBUTE_COLUMNS, NOTHING, History

_AS_OF = "as_of="


@dataclass(frozen=True)
class PublishedHistories:
    """One published partition.

    Attributes:
        folder: of the table.
        as_of: the day for whose decisions it is.
        pointer: its files and its manifest.
        beside: what was told of the shoppers, where features are attributes.
    """

    folder: Path
    as_of: date
    pointer: Pointer
    beside: PublishedAttributes | None = None

    @property
    def as_of_day(self) -> int:
        """The day for whose decisions it is, days since the epoch."""
        return day_number(self.as_of)

    @property
    def digest(self) -> str:
        """Names what it holds and for which day: the same for the same rows."""
        beside = "" if self.beside is None else f"-{self.beside.pointer.manifest.content_hash}"
        return f"{self.as_of}-{self.pointer.manifest.content_hash}{beside}"

    def histories(self) -> Iterator[tuple[str, History]]:
        """Yield each shopper's pseudonym and history; of shoppers of whom something was told alone, too."""
        told = {} if self.beside is None else dict(self.beside.rows())
        for shopper, rows in self.rows():
            yield shopper, History(rows, told.pop(shopper, NOTHING.attributes))
        for shopper, attributes in told.items():
            yield shopper, History(attributes=attributes)

    def rows(self) -> Iterator[tuple[str, IntArray]]:
        """Yield each shopper's pseudonym and HISTORY_COLUMNS."""
        names = HISTORIES.column_names
        schema = pa.schema([(name, pa.string() if name == "user_id" else pa.int64()) for name in names])
        tables = [_exact(pq.ParquetFile(self.folder / file).read(columns=names), schema) for file in self.pointer.files]
        table = pa.concat_tables([*tables, schema.empty_table()])
        order = [(name, "ascending") for name in ("user_id", "day", "visible_from", "category_hash")]
        table = table.sort_by(order).combine_chunks()
        return _by_shopper(table["user_id"], np.stack([table[name].to_numpy() for name in names[1:]], axis=1))


@dataclass(frozen=True)
class PublishedAttributes:
    """One published partition of what was told of shoppers.

    Attributes:
        folder: of the table.
        pointer: its files and its manifest.
    """

    folder: Path
    pointer: Pointer

    def rows(self) -> Iterator[tuple[str, IntArray]]:
        """Yield each shopper's pseudonym and ATTRIBUTE_COLUMNS."""
        schema = pa.schema([("user_id", pa.string()), ("attribute", pa.string()), ("value", pa.string())])
        schema = schema.append(pa.field("valid_from", pa.int64())).append(pa.field("delivered", pa.int64()))
        files = [pq.ParquetFile(self.folder / file).read(columns=schema.names) for file in self.pointer.files]
        table = pa.concat_tables([*(_exact(one, schema) for one in files), schema.empty_table()])
        table = table.sort_by([("user_id", "ascending"), ("valid_from", "ascending")])
        columns = {
            "attribute": _ids(table["attribute"]),
            "valid_from_us": table["valid_from"].to_numpy(),
            "delivery_day": table["delivered"].to_numpy(),
            "value": _ids(table["value"]),
        }
        return _by_shopper(table["user_id"], np.stack([columns[name] for name in ATTRIBUTE_COLUMNS], axis=1))


def newest_histories(folder: Path, *, last_day: int, attributes: Path | None = None) -> PublishedHistories | None:
    """Return the newest partition that is not for a day after the last one; None where there is none.

    Args:
        folder: of the table.
        last_day: business day, days since the epoch.
        attributes: folder of the table of what was told of shoppers, without which a day isn't whole; None where the
            scenario asks for none.
    """
    dated, beside = _by_day(folder), {} if attributes is None else _by_day(attributes)
    known = [day for day in dated if day_number(day) <= last_day and (attributes is None or day in beside)]
    if not known:
        return None
    day = max(known)
    told = None if attributes is None else PublishedAttributes(attributes, beside[day])
    return PublishedHistories(folder, day, dated[day], told)


def _by_day(folder: Path) -> dict[date, Pointer]:
    return {date.fromisoformat(name.removeprefix(_AS_OF)): pointer for name, pointer in read_pointers(folder).items()}


def _by_shopper(user_id: pa.ChunkedArray, rows: IntArray) -> Iterator[tuple[str, IntArray]]:
    """Yield each shopper and their rows, which stand together."""
    codes = user_id.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    starts = np.append(np.flatnonzero(changes(codes)), len(codes)) if len(codes) else np.zeros(1, dtype=np.int64)
    shoppers = user_id.take(pa.array(starts[:-1])).to_pylist()
    for shopper, first, end in zip(shoppers, starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        yield shopper, rows[first:end]


def _ids(column: pa.ChunkedArray) -> IntArray:
    return np.array([NO_ID if one is None else id_hash(one) for one in column.to_pylist()], dtype=np.int64)


def _exact(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return the table with dates as days, and times as microseconds, since the epoch."""
    columns = [_number(column) for column in table.columns]
    return pa.table(columns, names=table.column_names).cast(schema)


def _number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_date(column.type):
        return column.cast(pa.int32()).cast(pa.int64())
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
    return column
