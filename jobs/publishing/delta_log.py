"""The log of a Delta table whose files others wrote: a commit is the difference to what it shall name.

The library reads the log and makes its checkpoints; it offers no commit that adds and removes single files, so that is
written here, as the protocol has it (https://github.com/delta-io/delta/blob/master/PROTOCOL.md, "Actions").
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema

from conf.tables import Table
from jobs.publishing.delta_schema import schema_string

# A reader replays the commits since the last checkpoint.
CHECKPOINT_EVERY = 20


@dataclass(frozen=True)
class LoggedFiles:
    """What a Delta table's log says now.

    version: -1 before the first commit; has_columns: whether its columns are those that the table has.
    """

    version: int
    paths: frozenset[str]
    table_id: str
    has_columns: bool


def read_log(folder: Path, table: Table) -> LoggedFiles:
    """Return what the log of the folder's Delta table says; of a folder without one, that nothing is in it."""
    if not (folder / "_delta_log").is_dir() or not DeltaTable.is_deltatable(str(folder)):
        return LoggedFiles(-1, frozenset(), str(uuid.uuid4()), has_columns=False)
    found = DeltaTable(str(folder))
    paths = found.get_add_actions()["path"].to_pylist()
    has_columns = Schema.from_json(schema_string(table)) == found.schema()
    return LoggedFiles(found.version(), frozenset(paths), str(found.metadata().id), has_columns)


def commit(folder: Path, table: Table, before: LoggedFiles, files: Mapping[str, Mapping[str, str]]) -> int:
    """Write the commit after which the log names just these files; return its version, the old one if nothing differs.

    Args:
        folder: of the Delta table; the files lie in it.
        table: whose rows they hold.
        before: what the log says now.
        files: values of the path's columns, by path relative to the folder.

    Raises:
        FileExistsError: somebody else has committed meanwhile.
        OSError: the commit can't be written.
    """
    new, gone = sorted(set(files) - before.paths), sorted(before.paths - set(files))
    if not new and not gone and before.has_columns:
        return before.version
    now = int(time.time() * 1000)
    actions: list[dict[str, Any]] = [_commit_info(now)]
    if before.version < 0:
        actions.append({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
    if not before.has_columns:
        actions.append(_meta_data(table, before.table_id, now))
    actions += [{"remove": {"path": path, "deletionTimestamp": now, "dataChange": True}} for path in gone]
    actions += [_add(folder, path, files[path]) for path in new]
    version = before.version + 1
    _write_commit(folder / "_delta_log", version, actions)
    if version and version % CHECKPOINT_EVERY == 0:
        DeltaTable(str(folder)).create_checkpoint()
    return version


def _commit_info(now: int) -> dict[str, Any]:
    parameters = {"mode": "Overwrite"}
    return {
        "commitInfo": {
            "timestamp": now,
            "operation": "WRITE",
            "operationParameters": parameters,
            "engineInfo": "nightcart",
        }
    }


def _meta_data(table: Table, table_id: str, now: int) -> dict[str, Any]:
    return {
        "metaData": {
            "id": table_id,
            "name": table.name,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema_string(table),
            "partitionColumns": list(table.partitioned_by),
            "configuration": {},
            "createdTime": now,
        }
    }


def _add(folder: Path, path: str, values: Mapping[str, str]) -> dict[str, Any]:
    state = (folder / path).stat()
    n_rows = pq.read_metadata(folder / path).num_rows
    return {
        "add": {
            "path": path,
            "partitionValues": dict(values),
            "size": state.st_size,
            "modificationTime": int(state.st_mtime * 1000),
            "dataChange": True,
            "stats": json.dumps({"numRecords": n_rows}),
        }
    }


def _write_commit(log: Path, version: int, actions: Sequence[Mapping[str, Any]]) -> None:
    log.mkdir(parents=True, exist_ok=True)
    draft = log / f".{version:020d}.{os.getpid()}"
    with draft.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(action, separators=(",", ":")) + "\n" for action in actions)
        file.flush()
        os.fsync(file.fileno())
    try:
        (log / f"{version:020d}.json").hardlink_to(draft)  # unlike a rename, never in another commit's place
    finally:
        draft.unlink()
