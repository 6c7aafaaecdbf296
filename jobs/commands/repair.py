"""The repair command: damaged files are found by their sums, fetched from a shared lake's store, or else made anew."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Any

import structlog
from pyspark.sql import SparkSession

from conf.errors import DamagedFile, StoreUnreachable
from conf.intact_files import damage_in, landing_cure, seems_intact
from conf.paths import Lake
from conf.publication import read_pointers
from conf.settings import Settings
from conf.shared_lake.following import fetch_again
from conf.specs.scenario import load_pipeline, scenarios_for
from conf.specs.source import Source
from conf.specs.spec_hash import data_spec_hash
from jobs.commands.ingest import ingest
from jobs.errors import DeliveryError
from jobs.landing.raw_deliveries import read_raw_deliveries
from jobs.transitions.build import build

log = structlog.get_logger()

_LEARNED = {
    "shopper_scores": "make shopper-models SOURCE={source} DATE=<the day before as_of>",
    "decisions": "python -m rl decide --source {source} --scenario <name> --date <the day before as_of>",
    "order_lists": "python -m rl decide --source {source} --scenario <name> --date <the day before as_of>",
}
"""What makes the tables anew that models write, by their folders."""


def repair(
    spark: SparkSession, settings: Settings, source: Source, *, logs: Path | None, code_hash: str
) -> dict[str, Any]:
    """Make every damaged file of the source's current versions anew; return how many there were and what was made.

    Rows are the same as before: a version is named for them. A file of another spec than today's is left, and named.
    Where homes share the lake, files are fetched from its store, whatever made them; others are made anew.

    Args:
        spark: the session.
        settings: of the deployment.
        source: whose files are looked at.
        logs: the logs as delivered, from which damaged raw files are landed again; None where none is damaged.
        code_hash: of the code that makes the versions.

    Raises:
        DeliveryError: nothing was ever landed.
        DamagedFile: files that can't be made anew: raw ones without logs, or those of another spec.
    """
    lake = Lake(settings.lake, source.name)
    landed = read_raw_deliveries(lake)
    if not landed:
        raise DeliveryError(f"source {source.name}: nothing was landed yet, so nothing can be repaired")
    damaged = find_damaged(lake)
    for path, problem in damaged.items():
        log.warning("damaged", file=str(path), problem=problem)
    fetched = _fetched(lake, damaged)
    if any(_is_of_spark(lake, path) for path in damaged if path not in fetched):
        ingest(spark, settings, source, logs=logs, horizon=max(landed), code_hash=code_hash)
        _rebuild(spark, settings, source, lake)
    _refuse_left(lake, source)
    return {
        "source": source.name,
        "n_damaged": len(damaged),
        "damaged": [str(path) for path in damaged],
        "n_fetched": len(fetched),
    }


def _fetched(lake: Lake, damaged: Collection[Path]) -> set[Path]:
    """Return the files that a shared lake's store has given again; what it can't give is said, and made anew."""
    try:
        return set(fetch_again(lake, damaged))
    except StoreUnreachable as error:
        log.warning("not_fetched", why=str(error), next="they are made anew, as far as that can be")
        return set()


def find_damaged(lake: Lake) -> dict[Path, str]:
    """Return what is wrong with each file of a current version that isn't what was published, by path."""
    found: dict[Path, str] = {}
    for folder in lake.published_folders():
        for pointer in read_pointers(folder).values():
            found |= {folder / name: problem for name, problem in damage_in(folder, pointer.sums).items()}
            gone = [name for name in pointer.files if name not in pointer.sums and not (folder / name).is_file()]
            found |= {folder / name: "it is gone" for name in gone}
    return found


def _is_of_spark(lake: Lake, path: Path) -> bool:
    """Return whether the jobs make such a file; scores of shoppers and lists are those of `python -m rl`."""
    return path.relative_to(lake.folder).parts[0] not in _LEARNED


def _rebuild(spark: SparkSession, settings: Settings, source: Source, lake: Lake) -> None:
    for name in scenarios_for(source.name):
        pipeline = load_pipeline(name, source.name)
        folder = lake.transitions(name, data_spec_hash(pipeline))
        pointers = read_pointers(folder)
        if any(not seems_intact(folder, pointer) for pointer in pointers.values()):
            last = max(date.fromisoformat(partition.removeprefix("date=")) for partition in pointers)
            build(spark, settings, pipeline, last)


def _refuse_left(lake: Lake, source: Source) -> None:
    """Raise if a file is still damaged.

    Raises:
        DamagedFile: names the files, and what helps.
    """
    left = find_damaged(lake)
    if left:
        named = "\n".join(f"  {path}: {problem}" for path, problem in sorted(left.items()))
        kinds = {path.relative_to(lake.folder).parts[0] for path in left}
        cures = [f"; {kind}: `{cure.format(source=source.name)}`" for kind, cure in _LEARNED.items() if kind in kinds]
        raise DamagedFile(
            f"{len(left)} damaged file(s) can't be made anew from what the lake holds; a raw file needs its delivery "
            f"(`{landing_cure(source.name)}`), transitions need the spec they were built under{''.join(cures)}:\n"
            f"{named}"
        )
