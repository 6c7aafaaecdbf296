"""A publisher for tests: it counts upward in two partitions of a table at once, by what it published last.

Run as a program it goes on until it is killed; another home may do the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from conf.errors import LakeChanged
from conf.paths import Lake
from conf.publication import Pointer, read_pointers
from conf.settings import Settings
from conf.shared_lake.following import follow_store
from conf.tables import ITEMS
from jobs.publishing.content_hash import format_content_hash
from jobs.publishing.publishing import PartitionFacts, Provenance, StagedPartition, StagedVersion, Target, publish

SOURCE = "counting"
DAYS = ("2026-01-01", "2026-01-02")
_PROVENANCE = Provenance("spec", "code", "key", date(2026, 1, 2))
_SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("valid_from", pa.timestamp("us", tz="UTC")),
        ("category_id", pa.string()),
        *((name, pa.int64()) for name in ("price", "cost", "pack_size", "volume")),
    ]
)


def home(folder: Path, store: str = "s3://lake/shops") -> Settings:
    """Return the settings of a home that shares the lake."""
    return Settings.from_environment({"NIGHTCART_HOME": str(folder), "NIGHTCART_LAKE_STORE": store})


def lake_of(settings: Settings) -> Lake:
    return Lake(settings.lake, SOURCE)


def pointers_of(settings: Settings) -> dict[str, Pointer]:
    return read_pointers(lake_of(settings).table(ITEMS.name))


def values(settings: Settings) -> list[int]:
    """Return the number that each partition holds as its file says, 0 where it isn't published."""
    folder, found = lake_of(settings).table(ITEMS.name), pointers_of(settings)
    return [_read(folder, found.get(f"delivery_date={day}")) for day in DAYS]


def publish_number(settings: Settings, number: int, *, days: tuple[str, ...] = DAYS) -> None:
    """Publish the number in all the partitions, as the pipeline publishes."""
    lake = lake_of(settings)
    target = Target(ITEMS, lake.table(ITEMS.name), "delivery_date")
    staging = Lake.staging(target.folder) / str(os.getpid())
    for day in days:
        place = staging / f"delivery_date={day}"
        place.mkdir(parents=True, exist_ok=True)
        row = [f"item-{day}", datetime(2026, 1, 1, tzinfo=UTC), None, number, None, None, None]
        rows = pa.table([pa.array([one], field.type) for one, field in zip(row, _SCHEMA, strict=True)], schema=_SCHEMA)
        pq.write_table(rows, place / f"part-{os.getpid()}.parquet")
    staged = {day: StagedPartition(1, f"{format_content_hash(1)}-{day}-{number}", {}) for day in days}
    facts: Mapping[str, PartitionFacts] = {day: PartitionFacts({"number": str(number)}) for day in days}
    publish(lake.lock, [(StagedVersion(target, staging, staged), facts)], _PROVENANCE)


def count_on(settings: Settings) -> None:
    """Follow, and publish the next number, without end; another home's turn is followed and counted from."""
    while True:
        with suppress(LakeChanged):
            follow_store(settings, SOURCE)
            first, second = values(settings)
            if first != second:
                sys.exit(f"the partitions hold {first} and {second}")
            publish_number(settings, first + 1)


def _read(folder: Path, pointer: Pointer | None) -> int:
    if pointer is None:
        return 0
    (number,) = pq.ParquetFile(folder / pointer.files[0]).read(columns=["price"])["price"].to_pylist()
    return int(number)


if __name__ == "__main__":
    count_on(home(Path(sys.argv[1])))
