"""The observe command: what is known of every shopper as of a day, published for whoever serves its decisions."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import date, timedelta
from typing import Any

import structlog
from pyspark.sql import DataFrame, SparkSession

from conf.errors import SpecError
from conf.kernel.version import kernel_inputs
from conf.paths import Lake
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.scenario import Pipeline
from conf.specs.spec_hash import code_hash, data_spec_hash
from conf.tables import ATTRIBUTES, HISTORIES
from jobs.errors import DeliveryError
from jobs.events.events_reading import DeliveredEvents, read_events
from jobs.events.ordered_partitions import n_partitions_for
from jobs.events.shopper_files import shopper_files
from jobs.events.told_rows import ToldRows, read_told, told_inputs
from jobs.observations.histories import attributes_of, histories_of
from jobs.publishing.publishing import PartitionFacts, Provenance, StagedVersion, Target, publish, staged
from jobs.publishing.written_rows import read_written

LOG = structlog.get_logger()


def observe(spark: SparkSession, settings: Settings, pipeline: Pipeline, as_of: date) -> dict[str, Any]:
    """Publish what every shopper did on the days before, as delivered before the day; return what was published.

    An observation of a decision on that day, made of it by the kernel, is the one that its transition will hold.

    Raises:
        SpecError: no service can make its observations.
        DeliveryError: nothing was delivered for the day before.
        CheckError: rows that don't fit the table; nothing was published.
        StaleInputs: it was published from more deliveries; nothing was changed.
    """
    started = time.monotonic()
    source, scenario = pipeline.source, pipeline.scenario
    if scenario.request_problem:
        raise SpecError(scenario.request_problem)
    lake, last = Lake(settings.lake, source.name), as_of - timedelta(days=1)
    first = as_of - timedelta(days=scenario.observation.history_days)
    delivered = _delivered(lake, last)
    spec_hash = data_spec_hash(pipeline)
    target = Target(HISTORIES, lake.histories(scenario.name, spec_hash), "as_of", sort_columns=("user_id", "day"))
    provenance = Provenance(
        spec_hash=spec_hash,
        code_hash=code_hash(PROJECT_ROOT / "jobs", PROJECT_ROOT / "conf"),
        key_id=settings.pseudonym_key_id(),
        horizon=last,
    )
    told = read_told(spark, lake, pipeline, first_day=first, last_delivery_date=last)
    frames = [
        (_histories(spark, lake, delivered, told, n_buckets=source.user_buckets, first=first, as_of=as_of), target)
    ]
    if told.attributes is not None:
        folder = lake.attributes(scenario.name, spec_hash)
        beside = Target(ATTRIBUTES, folder, "as_of", sort_columns=("user_id", "attribute", "valid_from"))
        frames.append((attributes_of(told.attributes, as_of=as_of), beside))
    inputs = delivered.inputs(first, last) | told_inputs(lake, pipeline, last) | kernel_inputs()
    with ExitStack() as open_versions:
        versions = [
            open_versions.enter_context(staged(frame, place, partitions=[str(as_of)])) for frame, place in frames
        ]
        facts = [{str(as_of): PartitionFacts(inputs, {"n_shoppers": _n_shoppers(spark, one)})} for one in versions]
        # Attributes first: who finds the histories of a day finds what belongs to them.
        published = publish(lake.lock, list(zip(versions, facts, strict=True))[::-1], provenance)
    (manifest,) = published[-1].values()
    LOG.info("histories_published", scenario=scenario.name, as_of=str(as_of), **manifest.counters)
    return {
        "source": source.name,
        "scenario": scenario.name,
        "as_of": str(as_of),
        "spec_hash": spec_hash,
        "n_shoppers": manifest.counters["n_shoppers"],
        "n_rows": manifest.n_rows,
        "content_hash": manifest.content_hash,
        "seconds": {"observe": round(time.monotonic() - started, 3)},
    }


def _n_shoppers(spark: SparkSession, version: StagedVersion) -> int:
    if not any(one.n_rows for one in version.partitions.values()):
        return 0
    written = read_written(spark, version.target.table, version.folder, version.target.path_columns)
    return written.select("user_id").distinct().count()


def _histories(
    spark: SparkSession,
    lake: Lake,
    delivered: DeliveredEvents,
    told: ToldRows,
    *,
    n_buckets: int,
    first: date,
    as_of: date,
) -> DataFrame:
    last = as_of - timedelta(days=1)
    span = {"first_event_date": first, "last_event_date": last, "last_delivery_date": last}
    events = shopper_files(spark, lake, n_buckets=n_buckets, **span) or read_events(spark, lake, **span)
    configured = int(spark.conf.get("spark.sql.shuffle.partitions") or 0)
    n_partitions = n_partitions_for(delivered.n_events(first, last), configured)
    return histories_of(events, as_of=as_of, n_partitions=n_partitions, items=told.items)


def _delivered(lake: Lake, last: date) -> DeliveredEvents:
    """Return the deliveries up to the last day.

    Raises:
        DeliveryError: that day was not delivered: shoppers would be taken for ones that didn't come.
    """
    delivered = DeliveredEvents.read(lake, last_delivery_date=last)
    if last not in delivered.content_hashes:
        known = ", ".join(map(str, sorted(delivered.content_hashes)[-3:])) or "none"
        raise DeliveryError(
            f"{lake.folder}: no events were ingested of {last}, the day before --as-of; the last deliveries are "
            f"{known}; ingest that day first, or ask for the day after a delivery"
        )
    return delivered
