"""Landed deliveries become events, rejected lines, items and availability sets: many deliveries in one pass.

What a delivery's tables hold depends on its files, the source's spec and the key, and on nothing else.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date

import structlog
from pyspark.sql import SparkSession

from conf.id_form import has_keyed_ids, id_inputs, keyed_id
from conf.intact_files import landing_cure, refuse_damaged, seems_intact
from conf.paths import Lake
from conf.publication import read_pointer, read_pointers
from conf.specs.source import Source
from conf.tables import EVENTS, EVENTS_REJECTED, ITEM_ATTRIBUTES, ITEMS, REJECT_REASONS, Table
from jobs.errors import CheckError, DeliveryError
from jobs.events.delivery_parts import Place, write_lines
from jobs.events.id_samples import IdSample
from jobs.events.line_pieces import FeedFiles
from jobs.events.shoppers_apart import listed_apart, numbered_anew
from jobs.events.side_deliveries import side_facts, side_tables_of, unlikely_sides, warn_of_contradictions
from jobs.events.side_staging import SideFiles, Sides, count_sides, read_sides, spelled_in, staged_side
from jobs.events.unknown_ids import unknown_ids
from jobs.landing.acceptance import accepted_notes
from jobs.landing.currency_rates import rate_files, rates_input, read_rates
from jobs.landing.days_beyond import unlikely_days
from jobs.landing.delivery_drift import Drift, Profiles, drifts, unlikely_drift
from jobs.landing.delivery_limits import RejectedLines, n_shifted, unlikely_lines
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
from jobs.landing.repeated_deliveries import RepeatedFiles, repeated_files, unlikely_repetitions
from jobs.landing.spelled_ids import SpelledIds
from jobs.landing.unlikely_deliveries import Unlikely, refuse
from jobs.parsing.money import Rates
from jobs.publishing.publishing import (
    PartitionFacts,
    Provenance,
    StagedVersion,
    Target,
    checked,
    explaining_failures,
    finish_killed,
    publish,
    staged_empty,
)
from jobs.publishing.row_counts import RowCounts, n_above, n_equal
from jobs.publishing.staging import staging_folder

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
            return Target(
                table,
                self.lake.table(table.name),
                _PARTITION,
                cells,
                ("user_id", "event_time", "event_id"),
                self.source.user_buckets,
            )
        return Target(table, self.lake.table(table.name), _PARTITION, sort_columns=table.key[-2:])


def ingest_deliveries(job: Ingestion, again: Collection[date] = ()) -> list[date]:
    """Publish the tables of every landed delivery up to the horizon that is not current; return their dates.

    Args:
        job: what ingesting needs to know.
        again: deliveries to take in although their tables are current.

    Raises:
        DeliveryError: a landed file is gone, or was landed under another spec.
        UnlikelyDelivery: more lines of a delivery are rejected than the source allows, it differs too much from the
            feed's earlier ones or repeats one of them, and nobody accepted it; the others are published.
        CheckError: lines that are neither accepted nor rejected, or rows that don't fit their table.
        PublishError: the tables can't be written; they are as they were.
    """
    landed = read_raw_deliveries(job.lake)
    known = [delivery for day, delivery in landed.items() if day <= job.provenance.horizon]
    inputs = _inputs_of(job.lake, known)
    whys = why_ingested(job.lake, job.source, known, spec_hash=job.provenance.spec_hash, key_id=job.provenance.key_id)
    due = [delivery for delivery in known if delivery.delivery_date in whys or delivery.delivery_date in again]
    if not due:
        tables = (EVENTS, EVENTS_REJECTED, *side_tables_of(job.source))
        finish_killed(job.lake.lock, [job.target(table) for table in tables])
        return []
    _refuse_unfit(job, due)
    headers, line_files = _line_files(job, rate_files(known, job.provenance.horizon))
    rates = read_rates(line_files, job.source, job.key, headers)
    log.info("ingesting", source=job.source.name, deliveries=len(due), lines=sum(one.n_lines for one in due))
    _publish(job, landed, due, rates, inputs)
    return [delivery.delivery_date for delivery in due]


def _feeds(job: Ingestion, deliveries: Sequence[RawDelivery], rates: Rates | None) -> list[FeedFiles]:
    """Return the feeds that have files among the deliveries."""
    files = [file for delivery in deliveries for file in delivery.of_kind("events")]
    hides_names, found = has_keyed_ids(job.lake), []
    for name, feed in job.source.feeds_alone().items():
        if of_feed := [file for file in files if feed_of(job.source, file.name) == feed]:
            headers, line_files = _line_files(job, of_feed)
            reading = reading_of(feed, job.key, is_split=is_split(feed))
            found.append(FeedFiles(name, feed, headers, line_files, reading, rates, hides_names))
    return found


def _publish(
    job: Ingestion,
    landed: Mapping[date, RawDelivery],
    due: Sequence[RawDelivery],
    rates: Rates,
    inputs: Mapping[date, Mapping[str, str]],
) -> None:
    """Publish the deliveries that can be right, then raise if there are others: these hold back themselves alone."""
    accepted = accepted_notes(job.lake, due)
    targets = [job.target(table) for table in (EVENTS, EVENTS_REJECTED)]
    with ExitStack() as stack:
        events, rejected = (
            Place(target, stack.enter_context(staging_folder(Lake.staging(target.folder)))) for target in targets
        )
        with explaining_failures(EVENTS.name, events.target.folder):
            n_lines = {one.delivery_date: one.n_lines for one in due}
            written = write_lines(
                job.spark, job.source, _feeds(job, due, rates), n_lines, events=events, rejected=rejected
            )
        summary = _with_file_names(written.summary, due, job.key)
        drift = _drift(job, landed, due, written.profiles)
        repeated = _repeated(job, landed, due)
        sides = stack.enter_context(read_sides(job.spark, _side_files(job, due), job.source, job.key))
        side_counts = count_sides(sides)
        unlikely = [
            *unlikely_lines(summary, job.source, accepted),
            *unlikely_days(written.profiles, job.source, accepted),
            *unlikely_drift(drift, job.source, accepted),
            *unlikely_repetitions(repeated, job.source, accepted),
            *unlikely_sides(job.source, due, side_counts, accepted),
        ]
        likely = _without(due, unlikely)
        if not likely:
            refuse(unlikely, job.source)
        warn_of_contradictions(side_counts)
        days = [str(delivery.delivery_date) for delivery in likely]
        for place in (events, rejected):
            _keep_days(place, days)
        versions = [
            checked(job.spark, place.target, place.folder, partitions=days, counted=counted)
            for place, counted in ((events, _EVENT_COUNTS), (rejected, _REJECTED_COUNTS))
        ]
        versions += [
            stack.enter_context(staged_side(job.spark, sides[table.name], job.target(table), partitions=days))
            if table.name in sides
            else staged_empty(job.target(table), partitions=days)
            for table in side_tables_of(job.source)
        ]
        shifts = {delivery.delivery_date: n_shifted(summary, delivery.delivery_date) for delivery in likely}
        facts = _facts(likely, inputs, versions[0], versions[1], shifts, accepted)
        own = {name: side_facts(likely, inputs, name, side_counts, accepted) for name in job.source.side_tables}
        unknown = _unknown(job, likely, written.ids, versions)
        unknown += _apart(job, landed, likely, written.spelled, sides)
        own[EVENTS.name] = _with_profiles(facts, written.profiles, [*drift, *repeated, *unknown])
        publish(
            job.lake.lock,
            [(version, own.get(version.target.table.name, facts)) for version in versions],
            job.provenance,
        )
    for day in days:
        log.info("ingested", delivery_date=day, **{name: n for name, n in facts[day].counters.items() if n})
    refuse(unlikely, job.source, n_published=len(likely))


def _without(due: Sequence[RawDelivery], unlikely: Sequence[Unlikely]) -> list[RawDelivery]:
    held_back = {one.delivery_date for one in unlikely}
    return [one for one in due if one.delivery_date not in held_back]


def _keep_days(place: Place, days: Collection[str]) -> None:
    """Remove from a staging folder what was written of deliveries that aren't published."""
    kept = {place.target.partition(day) for day in days}
    for folder in place.folder.glob(f"{_PARTITION}=*"):
        if folder.name not in kept:
            shutil.rmtree(folder)


def _with_profiles(
    facts: Mapping[str, PartitionFacts], profiles: Profiles, drift: Sequence[Drift | RepeatedFiles]
) -> dict[str, PartitionFacts]:
    """Return what manifests of events say beyond those of other tables: by what later deliveries are judged."""
    return {
        day: replace(
            fact,
            profile=profiles.get(date.fromisoformat(day), {}),
            drift=[one.sentence for one in drift if str(one.delivery_date) == day],
        )
        for day, fact in facts.items()
    }


_EVENT_COUNTS: RowCounts = {"n_events": n_equal("line_part", 0), "n_derived": n_above("line_part", 0)}
_REJECTED_COUNTS: RowCounts = {f"rejected.{reason}": n_equal("reason", reason) for reason in REJECT_REASONS}


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


def _repeated(job: Ingestion, landed: Mapping[date, RawDelivery], due: Sequence[RawDelivery]) -> list[RepeatedFiles]:
    """Return which files of the due deliveries another delivery has as well, after saying it in the log."""
    known = {day: one for day, one in landed.items() if day <= job.provenance.horizon}
    found = repeated_files(due, known, job.source)
    for one in found:
        log.warning("repeated_files", delivery_date=str(one.delivery_date), feed=one.feed, what=one.sentence)
    return found


def _unknown(
    job: Ingestion, likely: Sequence[RawDelivery], ids: Mapping[date, IdSample], versions: Sequence[StagedVersion]
) -> list[Drift]:
    """Return which feeds name items and orders that nothing knows, after saying it in the log."""
    samples = {one.delivery_date: ids[one.delivery_date] for one in likely if one.delivery_date in ids}
    of_items = [name for name in (ITEMS.name, ITEM_ATTRIBUTES.name) if name in job.source.side_tables]
    found = unknown_ids(samples, versions, of_items)
    for one in found:
        log.warning("unknown_ids", delivery_date=str(one.delivery_date), feed=one.feed, what=one.what)
    return found


def _apart(
    job: Ingestion,
    landed: Mapping[date, RawDelivery],
    likely: Sequence[RawDelivery],
    shoppers: Mapping[date, SpelledIds],
    sides: Sides,
) -> list[Drift]:
    """Return which shoppers their ids keep apart, or lay into one, after saying it in the log."""
    days = [one.delivery_date for one in likely]
    found = [*listed_apart(days, spelled_in(sides), shoppers), *numbered_anew(days, landed, job.source)]
    for one in found:
        log.warning("shoppers_apart", delivery_date=str(one.delivery_date), feed=one.feed, what=one.what)
    return found


def _side_files(job: Ingestion, due: Sequence[RawDelivery]) -> dict[str, SideFiles]:
    """Return the files of each side table that any delivery brought."""
    found = {}
    for kind in job.source.side_tables:
        if files := [file for delivery in due for file in delivery.files if file.kind == kind]:
            found[kind] = SideFiles(*_line_files(job, files), sum(file.n_lines for file in files))
    return found


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
    accepted: Mapping[date, Mapping[str, str]],
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
        notes = accepted.get(delivery.delivery_date, {})
        checks = ["every_line_accepted_or_rejected"]
        facts[day] = PartitionFacts(inputs[delivery.delivery_date], counters, checks, notes)
    if problems:
        raise CheckError("nothing was published:\n" + "\n".join(f"  {problem}" for problem in problems))
    return facts


def why_ingested(
    lake: Lake, source: Source, known: Sequence[RawDelivery], *, spec_hash: str, key_id: str
) -> dict[date, str]:
    """Return the deliveries that an ingest takes in, each with why; those whose tables are current are left out.

    Args:
        lake: paths of the source's tables.
        source: as it is specified now.
        known: deliveries up to the horizon.
        spec_hash: of the source.
        key_id: of the pseudonym key.
    """
    inputs = _inputs_of(lake, known)
    found = {}
    for delivery in known:
        day = delivery.delivery_date
        whys = (
            _why_table(lake, table, day, inputs[day], spec_hash=spec_hash, key_id=key_id)
            for table in (EVENTS, EVENTS_REJECTED, *side_tables_of(source))
        )
        if (why := next(filter(None, whys), None)) is not None:
            found[day] = why
    return found


def _why_table(
    lake: Lake, table: Table, day: date, inputs: Mapping[str, str], *, spec_hash: str, key_id: str
) -> str | None:
    """Return why a delivery's part of a table isn't current; None where it is whole and was made from the inputs."""
    folder = lake.table(table.name)
    pointer = read_pointer(Lake.pointer(folder, f"{_PARTITION}={day}"))
    if pointer is None:
        return "it was never ingested" if table is EVENTS else f"it was never ingested into {table.name}"
    if not seems_intact(folder, pointer):
        return f"a published file of {table.name} is damaged or gone"
    if pointer.manifest.spec_hash != spec_hash:
        return "the source's spec has changed since"
    if pointer.manifest.key_id != key_id:
        return "it was ingested under another pseudonym key"
    return None if pointer.manifest.inputs == inputs else "its files, or what they are read by, have changed since"


def _inputs_of(lake: Lake, known: Sequence[RawDelivery]) -> dict[date, Mapping[str, str]]:
    """Return what each delivery's tables are made from."""
    ids = id_inputs(lake)
    return {one.delivery_date: one.inputs | rates_input(known, one.delivery_date) | ids for one in known}


def _refuse_unfit(job: Ingestion, due: Sequence[RawDelivery]) -> None:
    expected = landing_hash(job.source)
    other = [str(one.delivery_date) for one in due if one.landed_under != expected]
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
