"""Published versions of partitions: manifests, pointers, and the atomic swap that makes a version current.

A version is immutable and lies in a folder named for its digest. A pointer is one small JSON file that names the
current version of a partition with its files and its manifest; replacing it is atomic, so a reader sees either the
whole old version or the whole new one. Readers go through pointers only.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import ClassVar

from pydantic import Field, ValidationError

from conf.errors import PublicationError, StaleInputs
from conf.specs.later_keys import GrownModel
from conf.specs.strict_yaml import StrictModel

_DRAFT = re.compile(r"\..+\.json\.(?P<pid>\d+)(\.before)?")


IGNORED_WHERE = "ignored/"
"""How a profile's counts of lines begin that a column says mean nothing; the column follows."""


class Manifest(GrownModel):
    """What a published version is and where it came from.

    content_hash: `<rows>-<hex>`, row count and order-free 128-bit sum of row hashes.
    inputs: name of each input (such as `events/delivery_date=2026-01-31`) -> its content hash.
    counters: counts by name, shown to people (rejected by reason, residuals by name, ...).
    checks: name -> True; a version with a failed check is never published.
    notes: what people decided about it, by name, in their words.
    profile: of a delivery's events, what is counted of each feed, by which later deliveries are judged.
    drift: what differs from the feeds' earlier deliveries, a sentence each.
    """

    table: str
    partition: str
    schema_version: int
    n_rows: int = Field(ge=0)
    content_hash: str
    spec_hash: str
    code_hash: str
    key_id: str
    horizon: date
    inputs: dict[str, str]
    counters: dict[str, int] = Field(default_factory=dict)
    checks: dict[str, bool] = Field(default_factory=dict)
    notes: dict[str, str] = Field(default_factory=dict)

    profile: dict[str, dict[str, int]] = Field(default_factory=dict)
    drift: tuple[str, ...] = ()

    later_keys: ClassVar[frozenset[str]] = frozenset({"notes", "profile", "drift"})


class FileSum(StrictModel):
    """What a file was when it was published."""

    n_bytes: int = Field(ge=0)
    sha256: str


class Pointer(GrownModel):
    """The current version of a partition: its data files, relative to the table's folder, and its manifest.

    sums: size and SHA-256 of each file; none in pointers of an earlier release, whose files can't be verified.
    n_buckets: of events, into how many buckets of shoppers the files divide them; None where that isn't known.
    """

    files: tuple[str, ...]
    manifest: Manifest
    sums: dict[str, FileSum] = Field(default_factory=dict)
    n_buckets: int | None = None

    later_keys: ClassVar[frozenset[str]] = frozenset({"sums", "n_buckets"})


def read_pointer(path: Path) -> Pointer | None:
    """Return the pointer, or None where the partition was never published.

    Raises:
        PublicationError: the file is there but isn't a pointer.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return Pointer.model_validate(json.loads(content))
    except (ValidationError, ValueError) as error:  # no JSON, or no text at all
        raise PublicationError(f"{path}: not a pointer: {error}; publish the partition again") from error


def read_pointers(table_folder: Path) -> dict[str, Pointer]:
    """Return the current versions by partition name (`date=2026-01-31`), in name order."""
    found = {}
    for path in sorted((table_folder / "_pointers").glob("*.json")):
        pointer = read_pointer(path)
        if pointer is not None:
            found[path.stem] = pointer
    return found


def swap_pointer(path: Path, pointer: Pointer) -> None:
    """Make the pointer current, durably and in one move: readers see the old version or the new one.

    Raises:
        StaleInputs: what is published was made from strictly more inputs than the new version.
    """
    draft_pointer(path, pointer).replace(path)


def draft_pointer(path: Path, pointer: Pointer) -> Path:
    """Return the pointer's draft, durably beside its place: a rename makes it current.

    Raises:
        StaleInputs: what is published was made from strictly more inputs than the new version.
    """
    refuse_stale(path, pointer)
    return _draft(path, pointer.model_dump_json(indent=1))


def refuse_stale(path: Path, pointer: Pointer) -> None:
    """Raise where what is published may not be replaced.

    Raises:
        StaleInputs: what is published was made from strictly more inputs than the new version.
    """
    published = read_pointer(path)
    if published is not None and is_strict_subset(pointer.manifest.inputs, published.manifest.inputs):
        missing = sorted(set(published.manifest.inputs) - set(pointer.manifest.inputs))
        raise StaleInputs(
            f"{pointer.manifest.table} {pointer.manifest.partition}: refused, since the published version was made "
            f"from {len(missing)} more input(s) ({', '.join(missing[:3])}); rebuild with a later horizon"
        )


def is_strict_subset(new: dict[str, str], published: dict[str, str]) -> bool:
    """Return True where the new inputs are among the published ones, unchanged, and some are missing."""
    return set(new.items()) < set(published.items())


def write_atomically(path: Path, content: str) -> None:
    """Write the content to the file, durably and in one move: a reader sees the old content or the new one, whole."""
    _draft(path, content).replace(path)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk.

    Raises:
        OSError: they can't be.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def draft_of(path: Path) -> Path:
    """Return where this process writes what is to become the file."""
    return path.with_name(f".{path.name}.{os.getpid()}")


def remove_drafts(folder: Path) -> None:
    """Remove drafts and copies that other processes left in a folder of pointers when they were killed.

    Only whoever holds the lock that all publishers of the folder take may ask for it.
    """
    for path in folder.glob(".*"):
        found = _DRAFT.fullmatch(path.name)
        if found is not None and int(found["pid"]) != os.getpid():
            path.unlink(missing_ok=True)


def _draft(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = draft_of(path)
    with draft.open("w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft


@contextmanager
def publishing(lock: Path) -> Iterator[None]:
    """Hold the lock that lets one publisher of a source work at a time; it falls when the process ends."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
