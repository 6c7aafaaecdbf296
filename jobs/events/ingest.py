"""Landed deliveries become events, rejected lines, items and availability sets: many deliveries in one pass.

What a delivery's tables hold depends on its files, the source's spec and the key, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from functools import reduce

import structlog
from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.id_form import has_keyed_ids, id_inputs, keyed_id
from conf.intact_files import landing_cure, refuse_damaged, seems_intact
from conf.paths import Lake
from conf.publication import read_pointer, read_pointers
from conf.specs.source import Source
from conf.tables import EVENTS, EVENTS_REJECTED, REJECT_REASONS, Table
from jobs.errors import CheckError, DeliveryError
from jobs.events.mapped_side_tables import SideLines, count_lines_of, read_side_table
from jobs.events.side_deliveries import refuse_unlikely_sides, side_facts, side_tables_of
from jobs.landing.acceptance import accepted_reasons
from jobs.landing.currency_rates import rate_files, rates_input, read_rates
from jobs.landing.delivery_drift import Drift, Profiles, drifts, profiles, refuse_drifted
from jobs.landing.delivery_limits import RejectedLines, n_shifted, refuse_unlikely, summarize
from jobs.landing.parsed_lines import parse_files
from jobs.landing.raw_deliveries import (
    RawDelivery,
    RawFile,
    feed_of,
    is_split,
    landing_hash,
    raw_folder,
    read_raw_deliveries,
)
from jobs.landing.raw_lines import LineFile, reading_of
from jobs.parsing.event_parsing import RECORD_FIELDS
from jobs.parsing.money import Rates
from jobs.parsing.rejection import part_id, with_reasons
from jobs.publishing.publishing import (
    PartitionFacts,
    Provenance,
    StagedVersion,
    Target,
    finish_killed,
    publish,
    staged,
    staged_empty,
)

log = structlog.get_logger()

_PARTITION = "delivery_date"


@dataclass(frozen=True)
class Ingestion:
    """What ingesting needs to know."""

    spark: SparkSession
    lake: Lake
    source: Source
    key: bytes = field(repr=False)
    provenance: Provenance

    def target(self, table: Table) -> Target:
        """Return where a table of the source is written."""
        if table.name == EVENTS.name:
            cells = ("event_date", "user_bucket")
            return Target(table, self.lake.table(table.name), _PARTITION, cells, ("user_id", "event_time", "event_id"))
        return Target(table, self.lake.table(table.name), _PARTITION, sort_columns=table.key[-2:])


def ingest_deliveries(job: Ingestion) -> list[date]:
    """Publish the tables of every landed delivery up to the horizon that is not current; return their dates.

    Raises:
        DeliveryError: a landed file is gone, or was landed under another spec.
        UnlikelyDelivery: more lines of a delivery are rejected than the source allows, or it differs too much from the
            feed's earlier ones, and nobody accepted it.
        CheckError: lines that are neither accepted nor rejected, or rows that don't fit their table.
        PublishError: the tables can't be written; they are as they were.
    """
    landed = read_raw_deliveries(job.lake)
    known = [delivery for day, delivery in landed.items() if day <= job.provenance.horizon]
    ids = id_inputs(job.lake)
    inputs = {one.delivery_date: one.inputs | rates_input(known, one.delivery_date) | ids for one in known}
    due = [delivery for delivery in known if not _is_current(job, delivery, inputs)]
    if not due:
        tables = (EVENTS, EVENTS_REJECTED, *side_tables_of(job.source))
        finish_killed(job.lake.lock, [job.target(table) for table in tables])
        return []
    _refuse_unfit(job, due)
    headers, line_files = _line_files(job, rate_files(known, job.provenance.horizon))
    rates = read_rates(line_files, job.source, job.key, headers)
    log.info("ingesting", source=job.source.name, deliveries=len(due), lines=sum(one.n_lines for one in due))
    parsed = parsed_lines(job, due, rates).persist(StorageLevel.MEMORY_AND_DISK)
    try:
        _publish(job, landed, due, with_reasons(parsed, job.source), inputs)
    finally:
        parsed.unpersist()
    return [delivery.delivery_date for delivery in due]


def parsed_lines(job: Ingestion, deliveries: Sequence[RawDelivery], rates: Rates | None = None) -> DataFrame:
    """Return every line of the deliveries by itself: columns of `PARSED_SCHEMA`, and its feed."""
    files = [file for delivery in deliveries for file in delivery.of_kind("events")]
    feeds = [(name, feed, _files_of(job.source, feed, files)) for name, feed in job.source.feeds_alone().items()]
    parsed = [_parsed(job, feed, found, rates).withColumn("feed", F.lit(name)) for name, feed, found in feeds if found]
    return reduce(DataFrame.union, parsed)


def _files_of(source: Source, feed: Source, files: Sequence[RawFile]) -> list[RawFile]:
    return [file for file in files if feed_of(source, file.name) == feed]


def _parsed(job: Ingestion, feed: Source, files: Sequence[RawFile], rates: Rates | None) -> DataFrame:
    headers, line_files = _line_files(job, files)
    reading = reading_of(feed, job.key, is_split=is_split(feed))
    return parse_files(job.spark, line_files, feed, headers, reading, rates, hides_names=has_keyed_ids(job.lake))


def events_of(judged: DataFrame, source: Source) -> DataFrame:
    """Return the accepted lines' events, one or more a line: columns of the table and of its path."""
    further = F.transform(
        "further",
        lambda one, place: F.struct(
            (place + 1).cast("int").alias("line_part"),
            part_id(F.col("event_id"), place + 1).alias("event_id"),
            *[one.getField(name).alias(name) for name in RECORD_FIELDS],
        ),
    )
    own = F.array(F.struct(F.lit(0).alias("line_part"), F.col("event_id"), *[F.col(name) for name in RECORD_FIELDS]))
    parts = judged.where(F.col("reason").isNull()).withColumn("_part", F.explode(F.concat(own, further)))
    values = {name: F.col(f"_part.{name}") for name in ("line_part", "event_id", *RECORD_FIELDS)} | {
        "user_id": F.coalesce("user_id", F.lit(""))
    }
    events = parts.select(
        *[values.get(name, F.col(name)).alias(name) for name in EVENTS.column_names], "event_date", _PARTITION
    )
    bucket = F.pmod(F.xxhash64("user_id"), F.lit(source.user_buckets)).cast("int")
    return events.withColumn("user_bucket", bucket)


def rejected_of(judged: DataFrame) -> DataFrame:
    """Return the rejected lines: columns of the table, and delivery_date."""
    return judged.where(F.col("reason").isNotNull()).select(*EVENTS_REJECTED.column_names, _PARTITION)


def _publish(
    job: Ingestion,
    landed: Mapping[date, RawDelivery],
    due: Sequence[RawDelivery],
    judged: DataFrame,
    inputs: Mapping[date, Mapping[str, str]],
) -> None:
    summary, accepted = _with_file_names(summarize(judged), due, job.key), accepted_reasons(job.lake, due)
    refuse_unlikely(summary, job.source, accepted)
    profile = profiles(judged, summary)
    drift = _drift(job, landed, due, profile)
    refuse_drifted(drift, job.source, accepted)
    sides = {kind: found for kind in job.source.side_tables if (found := _read_side(job, due, kind)) is not None}
    side_counts = count_lines_of(sides)
    refuse_unlikely_sides(job.source, due, side_counts, accepted)
    frames: list[tuple[Table, DataFrame | None, dict[str, Column]]] = [
        (
            EVENTS,
            events_of(judged, job.source),
            {"n_events": F.count_if(F.col("line_part") == 0), "n_derived": F.count_if(F.col("line_part") > 0)},
        ),
        (
            EVENTS_REJECTED,
            rejected_of(judged) if any(one.reason is not None for one in summary) else None,
            {f"rejected.{reason}": F.count_if(F.col("reason") == reason) for reason in REJECT_REASONS},
        ),
        *[(table, sides[table.name].rows if table.name in sides else None, {}) for table in side_tables_of(job.source)],
    ]
    days = [str(delivery.delivery_date) for delivery in due]
    with ExitStack() as open_versions:
        versions = [
            open_versions.enter_context(staged(frame, job.target(table), partitions=days, counted=counted))
            if frame is not None
            else staged_empty(job.target(table), partitions=days, counted=counted)
            for table, frame, counted in frames
        ]
        shifts = {delivery.delivery_date: n_shifted(summary, delivery.delivery_date) for delivery in due}
        facts = _facts(due, inputs, versions[0], versions[1], shifts, accepted)
        own = {name: side_facts(due, inputs, name, side_counts, accepted) for name in job.source.side_tables}
        own[EVENTS.name] = {
            day: replace(
                fact,
                profile=profile.get(date.fromisoformat(day), {}),
                drift=[one.sentence for one in drift if str(one.delivery_date) == day],
            )
            for day, fact in facts.items()
        }
        publish(
            job.lake.lock,
            [(version, own.get(version.target.table.name, facts)) for version in versions],
            job.provenance,
        )
    for day in days:
        log.info("ingested", delivery_date=day, **{name: n for name, n in facts[day].counters.items() if n})


def _with_file_names(summary: Sequence[RejectedLines], due: Sequence[RawDelivery], key: bytes) -> list[RejectedLines]:
    """Return the lines with the names of their files, which people know them by."""
    names = {keyed_id(file.name, key): file.name for delivery in due for file in delivery.of_kind("events")}
    return [replace(one, file=names.get(one.file, one.file)) for one in summary]


def _drift(
    job: Ingestion, landed: Mapping[date, RawDelivery], due: Sequence[RawDelivery], profile: Profiles
) -> list[Drift]:
    """Return what differs from the feeds' earlier deliveries, after saying it in the log."""
    pointers = read_pointers(job.lake.table(EVENTS.name))
    published = {
        date.fromisoformat(name.removeprefix(f"{_PARTITION}=")): pointer.manifest.profile
        for name, pointer in pointers.items()
        if pointer.manifest.profile
    }
    found = drifts(due, landed, {**published, **profile}, job.source)
    for one in found:
        log.warning("drift", delivery_date=str(one.delivery_date), feed=one.feed, what=one.what)
    return found


def _read_side(job: Ingestion, due: Sequence[RawDelivery], kind: str) -> SideLines | None:
    files = [file for delivery in due for file in delivery.files if file.kind == kind]
    headers, line_files = _line_files(job, files)
    return read_side_table(job.spark, kind, line_files, headers, job.source, job.key) if files else None


def _line_files(job: Ingestion, files: Sequence[RawFile]) -> tuple[list[tuple[str, ...]], list[LineFile]]:
    """Return the headers that files have, each once, and where the files lie."""
    headers = list(dict.fromkeys(file.header for file in files if file.header is not None))
    return headers, [
        LineFile(
            raw_folder(job.lake) / file.stored(job.source),
            file.name,
            file.delivery_date,
            headers.index(file.header) if file.header is not None else 0,
        )
        for file in files
    ]


def _facts(
    due: Sequence[RawDelivery],
    inputs: Mapping[date, Mapping[str, str]],
    events: StagedVersion,
    rejected: StagedVersion,
    shifts: Mapping[date, Mapping[str, int]],
    accepted: Mapping[date, str],
) -> Mapping[str, PartitionFacts]:
    """Return what the manifests of each delivery say.

    Raises:
        CheckError: lists the deliveries where accepted and rejected lines don't add up to those delivered.
    """
    facts, problems = {}, []
    for delivery in due:
        day = str(delivery.delivery_date)
        taken, refused = events.partitions[day], rejected.partitions[day]
        if taken.counts["n_events"] + refused.n_rows != delivery.n_lines:
            problems.append(
                f"delivery_date={day}: {taken.counts['n_events']} accepted + {refused.n_rows} rejected, "
                f"expected {delivery.n_lines} lines"
            )
        counters = {"n_lines": delivery.n_lines, **taken.counts, "n_rejected": refused.n_rows, **refused.counts}
        counters |= {name: n for name, n in shifts[delivery.delivery_date].items() if n}
        reason = accepted.get(delivery.delivery_date)
        notes = {"accepted": reason} if reason is not None else {}
        checks = ["every_line_accepted_or_rejected"]
        facts[day] = PartitionFacts(inputs[delivery.delivery_date], counters, checks, notes)
    if problems:
        raise CheckError("nothing was published:\n" + "\n".join(f"  {problem}" for problem in problems))
    return facts


def _is_current(job: Ingestion, delivery: RawDelivery, inputs: Mapping[date, Mapping[str, str]]) -> bool:
    """Return True where all tables of the delivery are whole and were made from its inputs, under this spec and key."""
    for table in (EVENTS, EVENTS_REJECTED, *side_tables_of(job.source)):
        folder = job.lake.table(table.name)
        pointer = read_pointer(Lake.pointer(folder, f"{_PARTITION}={delivery.delivery_date}"))
        if (
            pointer is None
            or not seems_intact(folder, pointer)
            or (
                pointer.manifest.inputs,
                pointer.manifest.spec_hash,
                pointer.manifest.key_id,
            )
            != (inputs[delivery.delivery_date], job.provenance.spec_hash, job.provenance.key_id)
        ):
            return False
    return True


def _refuse_unfit(job: Ingestion, due: Sequence[RawDelivery]) -> None:
    other = [str(one.delivery_date) for one in due if one.landed_under != landing_hash(job.source)]
    if other:
        raise DeliveryError(
            f"source {job.source.name}: delivery {', '.join(other[:5])} was landed under another spec (format, "
            "columns, zone or window changed since); land its logs again (--logs), or start a new lake (NIGHTCART_LAKE)"
        )
    paths = [raw_folder(job.lake) / file.stored(job.source) for one in due for file in one.files]
    if gone := [str(path) for path in paths if not path.is_file()]:
        raise DeliveryError(f"{', '.join(gone[:3])}: landed, but gone since; land the logs again (--logs)")
    sums = {name: one for delivery in due for name, one in delivery.sums.items()}
    refuse_damaged(raw_folder(job.lake), sums, landing_cure(job.source.name))
