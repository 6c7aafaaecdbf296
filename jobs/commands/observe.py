"""The observe command: what is known of every shopper as of a day, published for whoever decides on it.

Of a scenario by sessions that is what shoppers did, of which a service makes its observations; of one by the week it is
the observations themselves, of which the week's list is decided.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import structlog
from pyspark.sql import DataFrame, SparkSession

from conf.errors import SpecError
from conf.kernel.version import kernel_inputs
from conf.observed_inputs import week_inputs
from conf.paths import Lake
from conf.settings import PROJECT_ROOT, Settings
from conf.specs.problem import WEEKDAYS
from conf.specs.scenario import Pipeline, Scenario
from conf.specs.spec_hash import code_hash, data_spec_hash
from conf.tables import ATTRIBUTES, CONSENT, HISTORIES, observations_table
from jobs.errors import DeliveryError
from jobs.events.events_reading import DeliveredEvents, read_deliveries, read_events
from jobs.events.ordered_partitions import n_partitions_for
from jobs.events.shopper_files import shopper_files
from jobs.events.told_rows import read_told, told_inputs
from jobs.observations.histories import attributes_of, histories_of
from jobs.observations.weekly_observations import consenting, week_job, weekly_observations
from jobs.publishing.publishing import PartitionFacts, Provenance, StagedVersion, Target, publish, staged
from jobs.publishing.written_rows import read_written

LOG = structlog.get_logger()


def observe(spark: SparkSession, settings: Settings, pipeline: Pipeline, as_of: date) -> dict[str, Any]:
    """Publish what is known of every shopper, as delivered before the day; return what was published.

    An observation of a decision on that day, made by the kernel, is the one that its transition will hold.

    Raises:
        SpecError: nobody can make its observations before they are asked for, or no week starts on the day.
        DeliveryError: nothing was delivered for the day before.
        CheckError: rows that don't fit the table; nothing was published.
        StaleInputs: it was published from more deliveries; nothing was changed.
    """
    started = time.monotonic()
    scenario = pipeline.scenario
    problem = scenario.request_problem if scenario.week is None else _week_problem(scenario, as_of)
    if problem:
        raise SpecError(problem)
    order = _Order(spark, settings, pipeline, as_of)
    tables = _weekly(order) if scenario.week is not None else _daily(order)
    provenance = Provenance(
        spec_hash=data_spec_hash(pipeline),
        code_hash=code_hash(PROJECT_ROOT / "jobs", PROJECT_ROOT / "conf"),
        key_id=settings.pseudonym_key_id(),
        horizon=order.last,
    )
    with ExitStack() as open_versions:
        versions = [
            open_versions.enter_context(staged(frame, place, partitions=[str(as_of)])) for frame, place in tables.frames
        ]
        facts = [
            {str(as_of): PartitionFacts(tables.inputs, {"n_shoppers": _n_shoppers(spark, one)})} for one in versions
        ]
        # The first one last: who finds it of a day finds what belongs to it.
        published = publish(order.lake.lock, list(zip(versions, facts, strict=True))[::-1], provenance)
    (manifest,) = published[-1].values()
    LOG.info(f"{tables.frames[0][1].table.name}_published", scenario=scenario.name, as_of=str(as_of))
    return {
        "source": pipeline.source.name,
        "scenario": scenario.name,
        "as_of": str(as_of),
        "spec_hash": provenance.spec_hash,
        "n_shoppers": manifest.counters["n_shoppers"],
        "n_rows": manifest.n_rows,
        "content_hash": manifest.content_hash,
        "seconds": {"observe": round(time.monotonic() - started, 3)},
    }


@dataclass(frozen=True)
class _Order:
    """What is to be observed: on which Spark, of whom, as of which day."""

    spark: SparkSession
    settings: Settings
    pipeline: Pipeline
    as_of: date

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake, self.pipeline.source.name)

    @property
    def first(self) -> date:
        """The first day that history looks back on."""
        return self.as_of - timedelta(days=self.pipeline.scenario.observation.history_days)

    @property
    def last(self) -> date:
        return self.as_of - timedelta(days=1)

    def n_partitions(self, delivered: DeliveredEvents) -> int:
        configured = int(self.spark.conf.get("spark.sql.shuffle.partitions") or 0)
        return n_partitions_for(delivered.n_events(self.first, self.last), configured)


@dataclass(frozen=True)
class _Tables:
    """What is published together, that whose name the result tells first; and what it is made from."""

    frames: list[tuple[DataFrame, Target]]
    inputs: Mapping[str, str]


def _daily(order: _Order) -> _Tables:
    """Return what shoppers did on the days before, and what was told of them where features are attributes."""
    scenario, spec_hash = order.pipeline.scenario, data_spec_hash(order.pipeline)
    lake, first, last = order.lake, order.first, order.last
    delivered = _delivered(lake, last)
    told = read_told(order.spark, lake, order.pipeline, first_day=first, last_delivery_date=last)
    target = Target(HISTORIES, lake.histories(scenario.name, spec_hash), "as_of", sort_columns=("user_id", "day"))
    span = {"first_event_date": first, "last_event_date": last, "last_delivery_date": last}
    files = shopper_files(order.spark, lake, n_buckets=order.pipeline.source.user_buckets, **span)
    events = files or read_events(order.spark, lake, **span)
    n_partitions = order.n_partitions(delivered)
    frames = [(histories_of(events, as_of=order.as_of, n_partitions=n_partitions, items=told.items), target)]
    if told.attributes is not None:
        folder = lake.attributes(scenario.name, spec_hash)
        beside = Target(ATTRIBUTES, folder, "as_of", sort_columns=("user_id", "attribute", "valid_from"))
        frames.append((attributes_of(told.attributes, as_of=order.as_of), beside))
    return _Tables(frames, delivered.inputs(first, last) | told_inputs(lake, order.pipeline, last) | kernel_inputs())


def _weekly(order: _Order) -> _Tables:
    """Return the observations of all consenting shoppers at the start of the week."""
    pipeline, spark, lake = order.pipeline, order.spark, order.lake
    scenario, last = pipeline.scenario, order.last
    delivered, further = _delivered(lake, last), _opt_outs(scenario)
    events = read_events(spark, lake, first_event_date=order.first, last_event_date=last, last_delivery_date=last)
    inputs = week_inputs(lake, pipeline, order.as_of)
    if pipeline.source.consent is not None:
        moment_us = week_job(pipeline, order.as_of).moment_us
        takes_unlisted = pipeline.source.consent.takes_unlisted
        told_consent = read_deliveries(spark, CONSENT, lake, last)
        events = consenting(events, told_consent, moment_us, takes_unlisted=takes_unlisted)
    told = read_told(spark, lake, pipeline, first_day=order.as_of, last_delivery_date=last, further=further)
    folder = lake.observations(scenario.name, data_spec_hash(pipeline))
    target = Target(observations_table(scenario), folder, "as_of", sort_columns=("user_id",))
    frame = weekly_observations(events, told, pipeline, as_of=order.as_of, n_partitions=order.n_partitions(delivered))
    return _Tables([(frame, target)], inputs)


def _week_problem(scenario: Scenario, as_of: date) -> str:
    """Return why no list can be decided as of the day; empty where one can."""
    if scenario.list_problem or scenario.week is None:
        return scenario.list_problem
    weekday = WEEKDAYS[as_of.weekday()]
    if weekday == scenario.week.weekday:
        return ""
    days = (WEEKDAYS.index(scenario.week.weekday) - as_of.weekday()) % len(WEEKDAYS)
    return (
        f"{as_of} is a {weekday}, and weeks of {scenario.name} start on {scenario.week.weekday}; observe as of "
        f"{as_of + timedelta(days=days)}, once the day before was ingested"
    )


def _opt_outs(scenario: Scenario) -> tuple[str, ...]:
    return () if scenario.eligibility is None else tuple(scenario.eligibility.opted_out)


def _n_shoppers(spark: SparkSession, version: StagedVersion) -> int:
    if not any(one.n_rows for one in version.partitions.values()):
        return 0
    written = read_written(spark, version.target.table, version.folder, version.target.path_columns)
    return written.select("user_id").distinct().count()


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
