"""The current rows of the source's tables, through pointers only, with schemas that nothing infers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce
from pathlib import Path, PurePosixPath

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from conf.id_form import mixed_ids
from conf.intact_files import refuse_damaged, repair_command, sums_among
from conf.paths import Lake, path_date
from conf.publication import read_pointers
from conf.tables import AVAILABILITY, EVENTS, Table
from jobs.errors import DeliveryError, UnpublishedDelivery
from jobs.landing.held_back import open_days
from jobs.landing.raw_deliveries import raw_folder
from jobs.publishing.content_hash import row_hash
from jobs.publishing.table_schema import path_type, table_schema

IS_REPEATED = "_is_repeated"
"""Whether an earlier delivery holds the event, which then doesn't count."""


def read_events(
    spark: SparkSession, lake: Lake, *, first_event_date: date, last_event_date: date, last_delivery_date: date
) -> DataFrame:
    """Return events of the days by the last delivery: columns of the table, event_date, delivery_date, user_bucket.

    An event id that several deliveries hold for one day stands once: the earliest delivery wins.
    """
    found = read_all_events(
        spark,
        lake,
        first_event_date=first_event_date,
        last_event_date=last_event_date,
        last_delivery_date=last_delivery_date,
    )
    return found.where(~F.col(IS_REPEATED)).drop(IS_REPEATED)


def read_all_events(
    spark: SparkSession, lake: Lake, *, first_event_date: date, last_event_date: date, last_delivery_date: date
) -> DataFrame:
    """Return events as `read_events`, and those that it leaves out: IS_REPEATED, an earlier delivery of the day has it.

    Only the day's own cells decide, so the answer for a day doesn't depend on how far around it one reads.
    """
    files = published_files(lake, EVENTS, last_delivery_date, first_event_date, last_event_date)
    events = read_files(spark, EVENTS, lake.table(EVENTS.name), files, ("event_date", "delivery_date", "user_bucket"))
    cells = {(path_date(file, "event_date"), path_date(file, "delivery_date")) for file in files}
    if len(cells) == len({event_date for event_date, _ in cells}):
        return events.withColumn(IS_REPEATED, F.lit(False))
    same_event = Window.partitionBy("event_date", "event_id").orderBy("delivery_date")
    return events.withColumn(IS_REPEATED, F.row_number().over(same_event) > 1)


@dataclass(frozen=True)
class DeliveredEvents:
    """Which deliveries of events there are, without reading any: content hash and event dates of each."""

    content_hashes: Mapping[date, str]
    event_dates: Mapping[date, frozenset[date]]

    @classmethod
    def read(cls, lake: Lake, *, last_delivery_date: date) -> DeliveredEvents:
        """Return the current deliveries up to the last one.

        Raises:
            UnpublishedDelivery: a delivery up to the last came and is not published: its day would look as if nobody
                had come.
        """
        pointers = {
            path_date(partition, "delivery_date"): pointer
            for partition, pointer in read_pointers(lake.table(EVENTS.name)).items()
        }
        landed = {path_date(partition, "delivery_date") for partition in read_pointers(raw_folder(lake))}
        held = set(open_days(lake, last_delivery_date))
        if gaps := sorted(held | {day for day in landed - pointers.keys() if day <= last_delivery_date}):
            raise UnpublishedDelivery(
                f"source {lake.source}: {len(gaps)} delivery(s) up to {last_delivery_date} came and are not "
                f"published ({', '.join(map(str, gaps[:5]))}): their days would look as if nobody had come; ingest up "
                f"to {last_delivery_date} says what is wrong with them"
            )
        known = {day: pointer for day, pointer in pointers.items() if day <= last_delivery_date}
        dates = {
            day: frozenset(path_date(file, "event_date") for file in pointer.files) for day, pointer in known.items()
        }
        return cls({day: pointer.manifest.content_hash for day, pointer in known.items()}, dates)

    @property
    def all_event_dates(self) -> list[date]:
        """Business dates that have events, ascending, up to the last delivery's day.

        A day after it is not there yet, although files that hold whole sessions may have its first hours.
        """
        found = frozenset[date]().union(*self.event_dates.values())
        return sorted(day for day in found if day <= max(self.event_dates))

    def n_events(self, first_event_date: date, last_event_date: date) -> int:
        """Return how many events the deliveries hold that have some of the days: as many as will be read, or more."""
        return sum(
            int(self.content_hashes[day].split("-")[0])
            for day, event_dates in self.event_dates.items()
            if any(first_event_date <= event_date <= last_event_date for event_date in event_dates)
        )

    def inputs(self, first_event_date: date, last_event_date: date) -> dict[str, str]:
        """Return input name -> content hash of every delivery with events of the days, for a manifest."""
        return {
            f"{EVENTS.name}/delivery_date={day}": self.content_hashes[day]
            for day, event_dates in sorted(self.event_dates.items())
            if any(first_event_date <= event_date <= last_event_date for event_date in event_dates)
        }


def read_availability(spark: SparkSession, lake: Lake, *, last_delivery_date: date) -> DataFrame:
    """Return availability sets with their delivery_date, one row for each key: the earliest delivery wins."""
    return read_earliest(spark, AVAILABILITY, lake, last_delivery_date)


def read_files(
    spark: SparkSession, table: Table, table_folder: Path, files: Collection[str], path_columns: tuple[str, ...]
) -> DataFrame:
    """Return the rows of published files (relative to the table's folder), with the columns of their paths.

    Dates in paths are dates; `user_bucket` is an int.
    """
    fields = table_schema(table).fields
    path_fields = [StructField(name, path_type(name)) for name in path_columns]
    schema = StructType([*fields, *path_fields])
    if not files:
        return spark.createDataFrame([], schema)
    # Spark refuses paths of two layouts in one reading, and without the last option those of two versions.
    earlier = [file for file in files if is_earlier_layout(file)]
    layouts = [one for one in (earlier, [file for file in files if not is_earlier_layout(file)]) if one]
    reader = spark.read.schema(schema).option("basePath", str(table_folder)).option("ignoreInvalidPartitionPaths", True)
    found = [reader.parquet(*[str(table_folder / file) for file in sorted(one)]) for one in layouts]
    return reduce(DataFrame.union, [one.select(*[f"`{name}`" for name in schema.names]) for one in found])


def is_earlier_layout(file: str) -> bool:
    """Return True for a file of an earlier release, whose version is a folder `v=...` below its partition."""
    return any(part.startswith("v=") for part in PurePosixPath(file).parts)


def _whole_files(
    lake: Lake, table: Table, last_delivery_date: date, is_wanted: Callable[[str], bool] = lambda _: True
) -> dict[str, int | None]:
    """Return the table's current files of the deliveries up to that day, of those wanted, with their `n_buckets`.

    Raises:
        DamagedFile: one of them isn't what was published.
        DeliveryError: ids of events are hashed in some deliveries and not in others.
    """
    folder = lake.table(table.name)
    known = [
        pointer
        for partition, pointer in read_pointers(folder).items()
        if path_date(partition, "delivery_date") <= last_delivery_date
    ]
    if table is EVENTS and (as_given := mixed_ids([pointer for pointer in known if pointer.files])):
        raise DeliveryError(
            f"{lake.folder}: {len(as_given)} delivery(s) hold ids as they were given and others keyed hashes of them "
            f"({', '.join(as_given[:3])}); ingest up to {last_delivery_date} again, which makes them alike"
        )
    files = {file: pointer.n_buckets for pointer in known for file in pointer.files if is_wanted(file)}
    refuse_damaged(folder, sums_among(known, list(files)), repair_command(lake.source))
    return files


def published_files(
    lake: Lake, table: Table, last_delivery_date: date, first_event_date: date, last_event_date: date
) -> dict[str, int | None]:
    """Return the table's current files with events of the days, of deliveries up to the last, relative to its folder.

    Each has the number of buckets that its shoppers are divided into; None where its pointer doesn't say.

    Raises:
        DamagedFile: one of them isn't what was published.
        DeliveryError: ids of events are hashed in some deliveries and not in others.
    """

    def is_of_days(file: str) -> bool:
        return first_event_date <= path_date(file, "event_date") <= last_event_date

    return _whole_files(lake, table, last_delivery_date, is_of_days)


def read_deliveries(spark: SparkSession, table: Table, lake: Lake, last_delivery_date: date) -> DataFrame:
    """Return the rows of the deliveries up to that day: columns of the table, and delivery_date."""
    files = _whole_files(lake, table, last_delivery_date)
    return read_files(spark, table, lake.table(table.name), files, ("delivery_date",))


def read_earliest(spark: SparkSession, table: Table, lake: Lake, last_delivery_date: date) -> DataFrame:
    """Return the rows of the deliveries up to that day, the earliest delivery of each key: columns, delivery_date."""
    rows = read_deliveries(spark, table, lake, last_delivery_date)
    same_key = Window.partitionBy(*table.key).orderBy("delivery_date", row_hash(table))
    numbered = rows.withColumn("_number", F.row_number().over(same_key))
    return numbered.where(F.col("_number") == 1).drop("_number")
