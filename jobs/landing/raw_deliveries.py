"""What has been landed: the files of each delivery, as their pointers tell.

A pointer's inputs hold `events/NAME`, and `items/NAME` and the like of side tables (keyed hash of the
file's bytes, or of the lines split off it), `header/NAME` and `header_of_items/NAME`; its counters `n_lines/NAME`. A
stored file's place follows from these. Counters `unended/NAME` are 1 for files whose last line has no end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from conf.paths import Lake
from conf.publication import FileSum, Manifest, Pointer, read_pointers
from conf.specs.file_patterns import matches
from conf.specs.key_kinds import content_of
from conf.specs.side_table import CANONICAL, SIDE_TABLES
from conf.specs.source import Source
from conf.tables import RAW_LINES, SCHEMA_VERSION
from jobs.errors import DeliveryError
from jobs.publishing.publishing import Provenance

FileKind = str
"""`events`, or the name of a side table."""

FILE_KINDS: tuple[FileKind, ...] = ("events", *SIDE_TABLES)
_PARTITION = "delivery_date="
# Left out where unset, so that earlier hashes stay.
_LATER_SIDE_KEYS = tuple(name for name in SIDE_TABLES if name not in CANONICAL)


@dataclass(frozen=True)
class RawFile:
    """One file of a delivery.

    name: relative path as delivered; header: column names where the file has them in its first line.
    n_lines: lines that hold a record (the header does not).
    is_unended: the last line of the file, as delivered, has no end: it may be cut off.
    """

    delivery_date: date
    kind: FileKind
    name: str
    keyed_hash: str
    n_lines: int
    header: tuple[str, ...] | None = None
    is_unended: bool = field(default=False, compare=False)

    def stored(self, source: Source) -> str:
        """Return where the file's bytes, or the lines split off it, lie below the raw folder."""
        suffix = ".split.parquet" if self.kind == "events" and is_split(feed_of(source, self.name)) else ""
        return f"{_PARTITION}{self.delivery_date}/v={self.keyed_hash}/{self.kind}/{self.name}{suffix}"


@dataclass(frozen=True)
class RawDelivery:
    """The current files of a delivery, the landing hash of the spec they were landed under, and what the files were.

    sums: by place below the raw folder; of files that an earlier release landed there are none.
    """

    delivery_date: date
    files: tuple[RawFile, ...]
    landed_under: str = field(default="", compare=False)
    sums: Mapping[str, FileSum] = field(default_factory=dict, compare=False)

    @property
    def n_lines(self) -> int:
        """Lines of events; side files have their own counts."""
        return sum(file.n_lines for file in self.files if file.kind == "events")

    @property
    def inputs(self) -> dict[str, str]:
        """What names the delivery's content: changes when any byte of it that matters does."""
        hashes = {f"{file.kind}/{file.name}": file.keyed_hash for file in self.files}
        headers = {
            f"{_header(file.kind)}/{file.name}": json.dumps(file.header)
            for file in self.files
            if file.header is not None
        }
        return hashes | headers

    def of_kind(self, kind: FileKind) -> list[RawFile]:
        return [file for file in self.files if file.kind == kind]


def is_split(source: Source) -> bool:
    """Return True where deliveries of the source's one feed are made by splitting its log by business date."""
    return source.delivery.layout == "by_event_date"


def feed_of(source: Source, name: str) -> Source:
    """Return the source narrowed to the feed of an events file, by its relative path.

    Raises:
        DeliveryError: it is a file of no feed, or of several.
    """
    feeds = source.feeds_alone()
    if len(feeds) == 1:
        return next(iter(feeds.values()))
    found = {feed: one for feed, one in feeds.items() if any(matches(name, glob) for glob in one.delivery.files)}
    if len(found) != 1:
        which = f"feeds {' and '.join(found)}" if found else f"no feed ({', '.join(feeds)})"
        raise DeliveryError(f"{name}: matches {which} of source {source.name}; expected one, by its delivery.files")
    return next(iter(found.values()))


def raw_folder(lake: Lake) -> Path:
    """Return the folder of all landed deliveries."""
    return lake.raw_delivery(date.min).parent


def raw_pointer_path(lake: Lake, delivery_date: date) -> Path:
    """Return the path of the pointer that says which files a delivery has."""
    return Lake.pointer(raw_folder(lake), f"{_PARTITION}{delivery_date}")


def read_raw_deliveries(lake: Lake) -> dict[date, RawDelivery]:
    """Return every landed delivery by its date, ascending."""
    found = {}
    for partition, pointer in read_pointers(raw_folder(lake)).items():
        day = date.fromisoformat(partition.removeprefix(_PARTITION))
        found[day] = RawDelivery(day, _files(day, pointer), pointer.manifest.spec_hash, pointer.sums)
    return found


def raw_pointer(
    delivery: RawDelivery, source: Source, provenance: Provenance, sums: Mapping[str, FileSum], *, landed_under: str
) -> Pointer:
    """Return the pointer that makes a delivery the current one of its date.

    Args:
        delivery: all that was delivered of the date.
        source: says where its files are stored.
        provenance: who lands it.
        sums: of its stored files.
        landed_under: the source's `landing_hash`.
    """
    manifest = Manifest(
        table=RAW_LINES.name,
        partition=f"{_PARTITION}{delivery.delivery_date}",
        schema_version=SCHEMA_VERSION,
        n_rows=delivery.n_lines,
        content_hash=_content_hash(delivery),
        spec_hash=landed_under,
        code_hash=provenance.code_hash,
        key_id=provenance.key_id,
        horizon=delivery.delivery_date,
        inputs=delivery.inputs,
        counters={
            **{f"n_lines/{file.name}": file.n_lines for file in delivery.files},
            **{f"unended/{file.name}": 1 for file in delivery.files if file.is_unended},
        },
    )
    files = tuple(sorted(file.stored(source) for file in delivery.files))
    return Pointer(files=files, manifest=manifest, sums={file: sums[file] for file in files if file in sums})


def landing_hash(source: Source) -> str:
    """Return the hash of what decides where a delivered line lands: after a change the logs must be landed again."""
    content = _landing_content(source)
    if source.feeds:
        content = {name: content.get(name) for name in CANONICAL} | {
            name: content[name] for name in _LATER_SIDE_KEYS if content.get(name) is not None
        }
        feeds = {name: _landing_content(feed) for name, feed in source.feeds_alone().items()}
        content["feeds"] = {
            name: {key: value for key, value in one.items() if key not in SIDE_TABLES} for name, one in feeds.items()
        }
    return sha256(json.dumps(content, sort_keys=True).encode("utf-8")).hexdigest()[:16]


def _landing_content(feed: Source) -> dict[str, Any]:
    content = {name: value for name, value in content_of(feed, {"landing"}).items() if name != "feeds"}
    if is_split(feed):
        content |= feed.model_dump(mode="json", include={"zone", "window"})
        content["event_time"] = feed.events.event_time.model_dump(mode="json")
    return content


def merged(old: RawDelivery | None, new: Iterable[RawFile], delivery_date: date) -> RawDelivery:
    """Return the delivery with the new files added; a new file replaces one of the same kind and name.

    Two files of the same bytes are two files: which of them wasn't meant, nobody can know, and their lines are counted.
    """
    files: dict[tuple[str, str], RawFile] = {(file.kind, file.name): file for file in (old.files if old else ())}
    files |= {(file.kind, file.name): file for file in new}
    return RawDelivery(delivery_date, tuple(files[key] for key in sorted(files)))


def _files(day: date, pointer: Pointer) -> tuple[RawFile, ...]:
    inputs, counters = pointer.manifest.inputs, pointer.manifest.counters
    return tuple(_file(day, key, inputs, counters) for key in sorted(inputs) if key.partition("/")[0] in FILE_KINDS)


def _file(day: date, key: str, inputs: Mapping[str, str], counters: Mapping[str, int]) -> RawFile:
    kind, _, name = key.partition("/")
    header = inputs.get(f"{_header(kind)}/{name}")
    return RawFile(
        day,
        kind,
        name,
        inputs[key],
        counters[f"n_lines/{name}"],
        tuple(json.loads(header)) if header is not None else None,
        is_unended=f"unended/{name}" in counters,
    )


def _header(kind: FileKind) -> str:
    return "header" if kind == "events" else f"header_of_{kind}"


def _content_hash(delivery: RawDelivery) -> str:
    digest = sha256(json.dumps(delivery.inputs, sort_keys=True).encode("utf-8")).hexdigest()[:32]
    return f"{delivery.n_lines}-{digest}"
