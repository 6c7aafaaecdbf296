"""Paths into nested objects of a JSON line or Parquet row: `user.id`, `items[].item_id`, `params[key=page].value`.

`[]` stands for every element of a list, `[0]` for one of them, `[key=page]` for the first whose `key` is `page`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STEP = re.compile(r"(?P<name>[^.\[\]]+)|\[(?P<place>\d*)\]|\[(?P<key>[^=\[\]]+)=(?P<word>[^\]]*)\]")

# A step is a key, a place in a list, or (key, word) for the first element with it.
Step = str | int | tuple[str, str]


@dataclass(frozen=True)
class JsonPath:
    """Where a column is found: steps from the object or, below a list whose every element counts, from an element.

    column: the path as written; a key of exactly that name comes first.
    list_steps: steps to that list, None where the path has none.
    """

    column: str
    steps: tuple[Step, ...]
    list_steps: tuple[Step, ...] | None = None


def read_path(column: str) -> JsonPath:
    """Return a column's path.

    Raises:
        ValueError: it isn't written as a path, or goes through two lists.
    """
    steps: list[Step] = []
    list_steps: tuple[Step, ...] | None = None
    place = 0
    while place < len(column):
        if column[place] == "." and place > 0 and place + 1 < len(column):
            place += 1
        found = _STEP.match(column, place)
        if found is None:
            raise ValueError(
                f"{column!r} is no path; write it as user.id, items[].item_id, items[0].id or p[key=page].v"
            )
        place = found.end()
        if found["name"] is not None:
            steps.append(found["name"])
        elif found["key"] is not None:
            steps.append((found["key"], found["word"]))
        elif found["place"]:
            steps.append(int(found["place"]))
        elif list_steps is not None:
            raise ValueError(f"{column!r} goes through two lists; a line can be one event for each element of one list")
        else:
            list_steps, steps = tuple(steps), []
    return JsonPath(column, tuple(steps), list_steps)


def is_path(column: str) -> bool:
    """Return True where a column is more than the name of a key."""
    return any(mark in column for mark in ".[")
