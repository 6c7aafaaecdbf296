"""`pseudonyms`: what a shop's own ids are called in lists and tables, so that these can be joined to its shoppers."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conf.pseudonyms import pseudonym
from conf.settings import Settings
from conf.specs.field_mapping import NULL_WORDS
from conf.specs.id_case import IdCase, id_case
from conf.specs.source import load_source, source_names
from rl.errors import ServingError

HEADER = ("id", "user_id")


def run(*, settings: Settings, ids: Path, column: str | None, out: Path, source: str | None = None) -> dict[str, Any]:
    """Write a CSV file of each id and its pseudonym, once each in the order of the file; return how many.

    An id's capitals are read as its source's logs read them (`fold_case`).

    Args:
        settings: name the home, whose key makes pseudonyms.
        ids: a CSV file with a header, or a text file of one id a line.
        column: of the CSV file; None takes whole lines.
        out: file to write, readable by its owner alone: it undoes what pseudonyms are for.
        source: whose shoppers they are; None for every source that the home has tables of.

    Raises:
        ServingError: no such file or column, no id in it, ids that have more than one pseudonym, or the output exists.
    """
    found = [one for one in dict.fromkeys(_ids(ids, column)) if one and one not in NULL_WORDS]
    if not found:
        raise ServingError(f"{ids}: holds no ids; expected one a line, or a CSV file and its column (COLUMN)")
    key, read = settings.pseudonym_key(), _as_logs_read(found, _cases(settings, source))
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ServingError(f"{out}: is there already; remove it, or name another file (OUT)") from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HEADER)
        rows.writerows((one, pseudonym(read[one], key)) for one in found)
    return {"n_ids": len(found), "file": str(out)}


def _cases(settings: Settings, source: str | None) -> dict[str, IdCase]:
    """Return how each of the sources reads the capitals of shoppers' ids; a source without YAML has no say."""
    held = (path.name for path in sorted(settings.lake.glob("*")) if path.is_dir())
    names = [source] if source is not None else [name for name in held if name in source_names()]
    return {name: id_case(load_source(name), "user_id") for name in names}


def _as_logs_read(found: Sequence[str], cases: Mapping[str, IdCase]) -> dict[str, str]:
    """Return each id as the logs' readers write it.

    Raises:
        ServingError: feeds of a source, or sources of the home, write an id with capitals in two ways.
    """
    read = {}
    for one in found:
        ways = {name: case.read(one) for name, case in cases.items()} or {"": one}
        if unclear := [name for name, way in ways.items() if way is None]:
            raise ServingError(f"source {unclear[0]}: an id of the file {cases[unclear[0]].told_apart}")
        if len(set(ways.values())) > 1:
            small = [name for name, way in ways.items() if way != one]
            raise ServingError(
                f"an id of the file has capitals, which sources of this home read in two ways ({', '.join(small)} as "
                "small letters); say whose shoppers they are, such as "
                f"SOURCE={small[0]} (--source)"
            )
        read[one] = str(next(iter(ways.values())))
    return read


def _ids(path: Path, column: str | None) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if column is None:
                return [line.strip() for line in file]
            rows = csv.DictReader(file)
            if column not in (names := rows.fieldnames or []):
                raise ServingError(f"{path}: no column {column!r}; it has {', '.join(names) or 'none'}")
            return [(row[column] or "").strip() for row in rows]
    except FileNotFoundError as error:
        raise ServingError(f"{path}: no such file; say where the ids are (IDS)") from error
    except UnicodeDecodeError as error:
        raise ServingError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start}); convert it first") from error
