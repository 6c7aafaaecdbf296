"""A lake with hand-made deliveries of events and availability, published as ingest does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.paths import Lake
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import data_spec_hash
from conf.tables import AVAILABILITY, EVENTS, transitions_table
from jobs.events.events_reading import read_files
from jobs.publishing.publishing import PartitionFacts, Provenance, Target, publish, staged
from tests.jobs.transitions.shop_events import Row, availability_frame, events_frame


class DeliveredShop:
    """One source's lake below a temporary folder."""

    def __init__(self, spark: SparkSession, home: Path, pipeline: Pipeline) -> None:
        self.spark, self.pipeline = spark, pipeline
        self.settings = Settings.from_environment({"NIGHTCART_HOME": str(home)})
        self.lake = Lake(self.settings.lake, pipeline.source.name)

    def deliver(self, rows: Iterable[Row]) -> None:
        """The rows' deliveries are current events; a delivery published before is replaced."""
        events = events_frame(self.spark, rows).withColumn("user_bucket", F.lit(0))
        target = Target(EVENTS, self.lake.table(EVENTS.name), "delivery_date", ("event_date", "user_bucket"))
        self._publish(events, target)

    def offer(self, sets: Iterable[Row]) -> None:
        """The sets' deliveries are current availability."""
        target = Target(AVAILABILITY, self.lake.table(AVAILABILITY.name), "delivery_date")
        self._publish(availability_frame(self.spark, sets), target)

    def transitions(self) -> DataFrame:
        """Current transitions of all dates."""
        files = [file for pointer in read_pointers(self.folder).values() for file in pointer.files]
        return read_files(self.spark, transitions_table(self.pipeline.scenario), self.folder, files, ("date",))

    @property
    def folder(self) -> Path:
        return self.lake.transitions(self.pipeline.scenario.name, data_spec_hash(self.pipeline))

    def _publish(self, frame: DataFrame, target: Target) -> None:
        days = sorted({str(row["delivery_date"]) for row in frame.select("delivery_date").distinct().collect()})
        with staged(frame, target, partitions=days) as version:
            facts = {day: PartitionFacts({f"raw/{day}": version.partitions[day].content_hash}) for day in days}
            publish(self.lake.lock, [(version, facts)], Provenance("spec", "code", "key", date.fromisoformat(days[-1])))
