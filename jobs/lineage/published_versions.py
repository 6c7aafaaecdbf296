"""Every current version of a source's tables, with what its manifest says, as lineage names it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from conf.paths import Lake
from conf.publication import Pointer, read_pointers

_LANDED = re.compile(r"[^/]+/\d{4}-\d{2}-\d{2}/.+")
_RAW = "raw"


@dataclass(frozen=True)
class PublishedVersion:
    """The current version of one partition.

    Attributes:
        lake: of the source.
        folder: of the table.
        pointer: names files and manifest.
        published_at: when its pointer was written, in seconds since 1970.
    """

    lake: Lake
    folder: Path
    pointer: Pointer
    published_at: float

    @property
    def table(self) -> str:
        """The table as people call it: its path below the source's, such as `transitions/recommendation/spec=1f2e`."""
        return str(self.folder.relative_to(self.lake.folder))

    @property
    def run_id(self) -> str:
        """Always the same for the same version, so that one that is told twice stays one."""
        manifest = self.pointer.manifest
        inputs = sorted(manifest.inputs.items())
        made = (self.lake.source, self.table, manifest.partition, manifest.content_hash, manifest.code_hash, inputs)
        return str(uuid5(NAMESPACE_URL, f"nightcart:{made}"))

    @property
    def day(self) -> date | None:
        """The date that the partition is of; None where it is of none."""
        try:
            return date.fromisoformat(self.pointer.manifest.partition.partition("=")[2])
        except ValueError:
            return None

    def read_tables(self) -> dict[str, list[str]]:
        """Return the partitions that it was made from, by the folder name of their table; deliveries are `raw`'s."""
        known = {folder.name for folder in self.lake.published_folders()}
        found: dict[str, list[str]] = {}
        for name in sorted(self.pointer.manifest.inputs):
            table, _, rest = name.partition("/")
            if "=" in rest and table in known:
                found.setdefault(table, []).append(rest)
            elif _LANDED.fullmatch(name) and self.table != _RAW:
                found.setdefault(_RAW, []).append(name)
        return found

    def read_feeds(self) -> dict[str, list[str]]:
        """Return the delivered files that it was made from, by feed: of raw deliveries alone."""
        found: dict[str, list[str]] = {}
        if self.table == _RAW:
            for name in sorted(self.pointer.manifest.inputs):
                found.setdefault(name.partition("/")[0], []).append(name.partition("/")[2])
        return found


def published_versions(lake: Lake) -> Iterator[PublishedVersion]:
    """Yield the current version of every partition of the source's tables, raw deliveries first."""
    for folder in sorted(lake.published_folders(), key=lambda path: (path.name != _RAW, path)):
        for partition, pointer in read_pointers(folder).items():
            written = Lake.pointer(folder, partition).stat().st_mtime
            yield PublishedVersion(lake, folder, pointer, written)


def fits(found: Mapping[str, str], version: PublishedVersion) -> bool:
    """Return whether what was told of the partition, by its place, is this very version."""
    return found.get(f"{version.table}/{version.pointer.manifest.partition}") == version.run_id
