"""`pseudonyms`: what a shop's own ids are called in lists and tables, so that these can be joined to its shoppers."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from conf.pseudonyms import pseudonym
from conf.settings import Settings
from conf.specs.field_mapping import NULL_WORDS
from rl.errors import ServingError

HEADER = ("id", "user_id")


def run(*, settings: Settings, ids: Path, column: str | None, out: Path) -> dict[str, Any]:
    """Write a CSV file of each id and its pseudonym, once each in the order of the file; return how many.

    Args:
        settings: name the home, whose key makes pseudonyms.
        ids: a CSV file with a header, or a text file of one id a line.
        column: of the CSV file; None takes whole lines.
        out: file to write, readable by its owner alone: it undoes what pseudonyms are for.

    Raises:
        ServingError: no such file or column, no id in it, or the output exists.
    """
    found = [one for one in dict.fromkeys(_ids(ids, column)) if one and one not in NULL_WORDS]
    if not found:
        raise ServingError(f"{ids}: holds no ids; expected one a line, or a CSV file and its column (COLUMN)")
    key = settings.pseudonym_key()
    try:
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ServingError(f"{out}: is there already; remove it, or name another file (OUT)") from error
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(HEADER)
        rows.writerows((one, pseudonym(one, key)) for one in found)
    return {"n_ids": len(found), "file": str(out)}


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
