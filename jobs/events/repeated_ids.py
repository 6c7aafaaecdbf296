"""Events that several deliveries hold for one day: which of them don't count, since an earlier delivery has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DateType, StringType, StructField, StructType

from jobs.spark.tasks import tasks_over

MOST_REPEATED = 1_000_000
"""So many ids, some 100 MB, may go to every worker."""

IdsByCell = Mapping[tuple[date, date], pa.Array]
"""Event ids by event date and delivery date."""

_FOUND = StructType(
    [StructField("event_date", DateType()), StructField("delivery_date", DateType()), StructField("id", StringType())]
)
_ARROW_FOUND = to_arrow_schema(_FOUND)

_DeliveredFiles = Sequence[tuple[date, Sequence[Path]]]


def repeated_ids(spark: SparkSession, files: Sequence[tuple[Path, date, date]]) -> IdsByCell:
    """Return the ids of events that an earlier delivery holds for the same day; at most a few more than MOST_REPEATED.

    Args:
        spark: whose workers look, at days of several deliveries alone.
        files: path, event date and delivery date of each.
    """
    cells: dict[date, dict[date, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path, event_date, delivery_date in files:
        cells[event_date][delivery_date].append(path)
    given = [(day, sorted(by_delivery.items())) for day, by_delivery in sorted(cells.items()) if len(by_delivery) > 1]
    if not given:
        return {}

    def look(days: Iterable[tuple[date, _DeliveredFiles]]) -> Iterator[pa.RecordBatch]:
        for day, delivered in days:
            for delivery_date, ids in repeated_of_day(delivered):
                n = len(ids)
                columns = [pa.array([day] * n, pa.date32()), pa.array([delivery_date] * n, pa.date32()), ids]
                yield pa.RecordBatch.from_arrays(columns, schema=_ARROW_FOUND)

    n_bytes = sum(path.stat().st_size for _, delivered in given for _, paths in delivered for path in paths)
    found = tasks_over(spark, given, look, _FOUND, n_bytes=n_bytes).limit(MOST_REPEATED + 1).toArrow()
    by_cell: dict[tuple[date, date], pa.Array] = {}
    for event_date, delivery_date in sorted(set(zip(*(found[one].to_pylist() for one in _CELL), strict=True))):
        is_of_cell = pc.and_(pc.equal(found["event_date"], event_date), pc.equal(found["delivery_date"], delivery_date))
        by_cell[event_date, delivery_date] = found["id"].filter(is_of_cell).combine_chunks().cast(pa.string())
    return by_cell


_CELL = ("event_date", "delivery_date")


def repeated_of_day(delivered: _DeliveredFiles) -> Iterator[tuple[date, pa.Array]]:
    """Yield the ids of a day's events that an earlier delivery holds, by delivery.

    Args:
        delivered: the day's files by delivery, ascending.
    """
    known: list[pa.Array] = []
    for delivery_date, paths in delivered:
        ids = pa.concat_arrays([chunk for path in paths for chunk in _ids(path).chunks])
        again = pc.filter(ids, pc.is_in(ids, value_set=pa.concat_arrays(known))) if known else ids[:0]
        if len(again):
            yield delivery_date, again
        known.append(ids)


def _ids(path: Path) -> pa.ChunkedArray:
    return pq.read_table(path, columns=["event_id"], partitioning=None)["event_id"].cast(pa.string())
