"""A log that is not daily becomes deliveries: its lines are split by business date, keeping file, number and offset."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.specs.source import Source
from conf.tables import RAW_LINES
from jobs.errors import CheckError, DeliveryError
from jobs.landing.delivered_files import MeasuredFile
from jobs.landing.parsed_lines import read_dated_lines
from jobs.landing.raw_deliveries import RawFile
from jobs.landing.raw_lines import LineFile, reading_of
from jobs.publishing.content_hash import content_hashes
from jobs.publishing.written_rows import read_written

_PATH_COLUMNS = ("delivery_date", "file_id")


@dataclass(frozen=True)
class SplitFile:
    """The lines of one log file that belong to one delivery, as one Parquet file."""

    file: RawFile
    path: Path


def split_log(
    spark: SparkSession, logs: Sequence[MeasuredFile], source: Source, *, key: bytes, folder: Path
) -> list[SplitFile]:
    """Split the logs into one Parquet file for each log file and business date, with the columns of raw_lines.

    Lines whose date can't be read, or lies outside the source's window, go to the log's first delivery.

    Raises:
        DeliveryError: no line has a date that reads and lies in the window.
        CheckError: lines were lost on the way.
    """
    headers = list(dict.fromkeys(log.header for log in logs if log.header is not None))
    files = [
        LineFile(log.file.path, log.file.name, None, headers.index(log.header) if log.header else 0) for log in logs
    ]
    lines = read_dated_lines(spark, files, source, headers, reading_of(source, key))
    dated = _dated(lines, source, [log.file.name for log in logs])
    dated.persist(StorageLevel.MEMORY_AND_DISK)
    try:
        first = dated.agg(F.min("business_date")).collect()[0][0]
        if first is None:
            raise DeliveryError(_no_date_message(logs, source))
        _write(dated.withColumn("delivery_date", F.coalesce("business_date", F.lit(first))), folder)
    finally:
        dated.unpersist()
    return _split_files(spark, logs, folder, key)


def _dated(lines: DataFrame, source: Source, names: Sequence[str]) -> DataFrame:
    day = F.date_add(F.lit(date(1970, 1, 1)), F.col("day"))
    if source.window is not None:
        day = F.when(day.between(F.lit(source.window.first), F.lit(source.window.last)), day)
    file_ids: Mapping[str, int] = {name: number for number, name in enumerate(names)}
    ids = F.create_map(*[F.lit(part) for pair in file_ids.items() for part in pair])
    return lines.select(
        *RAW_LINES.column_names, day.alias("business_date"), F.element_at(ids, F.col("file")).alias("file_id")
    )


def _write(lines: DataFrame, folder: Path) -> None:
    columns = [*RAW_LINES.column_names, *_PATH_COLUMNS]
    rows = lines.select(*columns).repartition(*_PATH_COLUMNS).sortWithinPartitions(*_PATH_COLUMNS, "line_number")
    rows.write.partitionBy(*_PATH_COLUMNS).mode("append").parquet(str(folder))


def _split_files(spark: SparkSession, logs: Sequence[MeasuredFile], folder: Path, key: bytes) -> list[SplitFile]:
    hashes = content_hashes(read_written(spark, RAW_LINES, folder, _PATH_COLUMNS), RAW_LINES, _PATH_COLUMNS)
    found = []
    for (day, file_id), content in sorted(hashes.items()):
        log = logs[int(file_id)]
        message = f"{content} {json.dumps(log.header)}".encode()
        keyed_hash = hmac.digest(key, message, "sha256").hex()[:32]
        n_lines = int(content.partition("-")[0])
        raw = RawFile(date.fromisoformat(day), "events", log.file.name, keyed_hash, n_lines, log.header)
        (path,) = (folder / f"delivery_date={day}" / f"file_id={file_id}").glob("*.parquet")
        found.append(SplitFile(raw, path))
    n_found, n_delivered = sum(one.file.n_lines for one in found), sum(log.n_lines for log in logs)
    if n_found != n_delivered:
        raise CheckError(f"splitting the log by date kept {n_found} of {n_delivered} lines; nothing was changed")
    return found


def _no_date_message(logs: Sequence[MeasuredFile], source: Source) -> str:
    window = f" in {source.window.first} to {source.window.last}" if source.window else ""
    mapping = source.events.event_time
    columns = " and ".join(repr(name) for name in mapping.parts)
    return (
        f"{', '.join(log.file.name for log in logs[:3])}: no line has a date{window}; expected column "
        f"{columns} to hold {mapping.pattern or mapping.unit}; is this a log of source {source.name}?"
    )
