"""The migrate command: the tables of an earlier release's home become what this release writes, with no row made anew.

Pointers get the sums of their files, and tables the logs by which other engines read them. Files stay where and as they
are, since prepared nights name them; the next version of a partition lies in this release's layout. Lakes whose ids are
as they were given are marked, so that the next ingest hashes them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conf.closed_output import end_with_the_reader
from conf.id_form import has_keyed_ids, mark_keyed
from conf.intact_files import sums_of
from conf.paths import Lake
from conf.private_home import refuse_unwritable
from conf.publication import publishing, read_pointers, write_atomically
from conf.settings import Settings
from conf.specs.scenario import load_pipeline, scenarios_for
from conf.specs.source import source_names
from conf.specs.spec_hash import data_spec_hash
from conf.tables import EVENTS, EVENTS_REJECTED, SESSIONS, SIDE_TABLES, Table, transitions_table
from jobs.commands.answering import answered
from jobs.errors import DeliveryError
from jobs.landing.raw_deliveries import raw_folder
from jobs.publishing.delta_tables import update_delta_table


def migrate(settings: Settings) -> dict[str, Any]:
    """Bring every source's tables to what this release writes; return how many pointers, tables and lakes that changed.

    A lake whose events have ids as they were given is marked: its next ingest makes them anew, from what was landed.

    A pointer is swapped atomically and only ever gains sums; a run that was cut short is finished by the next.

    Raises:
        DeliveryError: a published file is gone.
    """
    counts, as_given = {"pointers": 0, "tables": 0, "ids": 0}, []
    lakes = [Lake(settings.lake, path.name) for path in sorted(settings.lake.glob("*")) if path.is_dir()]
    for lake in lakes:
        with publishing(lake.lock):
            counts["pointers"] += sum(_add_sums(folder) for folder in lake.published_folders())
            counts["tables"] += sum(_add_log(table, folder) for table, folder in known_tables(lake))
            if not has_keyed_ids(lake):
                if gone := _gone(lake):
                    as_given.append(f"{lake.source}: its ids stay as they were given: {gone} is gone; land it again")
                else:
                    mark_keyed(lake)
                    counts["ids"] += 1
    done = "nothing to migrate: the home is as this release writes it" if not any(counts.values()) else "migrated"
    if counts["ids"]:
        done += "; the next ingest makes events anew, with keyed hashes of their ids, and the next build follows"
    told = {"ids_as_given": as_given} if as_given else {}
    return {"home": str(settings.home), "sources": [lake.source for lake in lakes], **counts, **told, "done": done}


def _gone(lake: Lake) -> str:
    """Return a landed file, of those that the lake's events were made from, that is no longer there; empty if none is.

    A delivery without any landed file counts as gone, since it can't be made anew.
    """
    landed = read_pointers(raw_folder(lake))
    for name in read_pointers(lake.table(EVENTS.name)):
        if name not in landed:
            return f"the landed delivery of {name}"
        if gone := [file for file in landed[name].files if not (raw_folder(lake) / file).is_file()]:
            return str(raw_folder(lake) / gone[0])
    return ""


def known_tables(lake: Lake) -> Iterator[tuple[Table, Path]]:
    """Yield the published tables whose columns today's specs know, with their folders; raw deliveries are no table."""
    for table in (EVENTS, EVENTS_REJECTED, *SIDE_TABLES.values(), SESSIONS):
        yield table, lake.table(table.name)
    if lake.source in source_names():
        for name in scenarios_for(lake.source):
            pipeline = load_pipeline(name, lake.source)
            yield transitions_table(pipeline.scenario), lake.transitions(name, data_spec_hash(pipeline))


def _add_sums(folder: Path) -> int:
    """Give each pointer of the folder that lacks them the sums of its files; return to how many."""
    changed = 0
    for partition, pointer in read_pointers(folder).items():
        lacking = [name for name in pointer.files if name not in pointer.sums]
        if gone := [name for name in lacking if not (folder / name).is_file()]:
            raise DeliveryError(f"{folder / gone[0]}: a published file is gone; run `make repair` for its source first")
        if lacking:
            sums = {**pointer.sums, **sums_of(folder, lacking)}
            swapped = pointer.model_copy(update={"sums": sums})
            write_atomically(Lake.pointer(folder, partition), swapped.model_dump_json(indent=1))
            changed += 1
    return changed


def _add_log(table: Table, folder: Path) -> int:
    """Bring the table's Delta table up to date; return 1 where that changed it."""
    return int(bool(read_pointers(folder)) and update_delta_table(table, folder))


def main() -> int:
    """Return the exit code, after the result stands on stdout."""
    return answered(_migrate_writable)


def _migrate_writable(settings: Settings) -> dict[str, Any]:
    refuse_unwritable(settings)
    return migrate(settings)


if __name__ == "__main__":
    end_with_the_reader()
    sys.exit(main())
