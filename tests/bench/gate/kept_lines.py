"""Lines of figures in a file, each written as it is known, so that a run that was stopped goes on behind it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class KeptLines:
    """The lines of a file, by one of their figures."""

    def __init__(self, path: Path, *, key: str) -> None:
        """Read the lines that the file holds; a last one that was cut off counts as none, and goes."""
        self._path, self._key = path, key
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0].splitlines() if path.exists() else []
        self._lines: dict[Any, dict[str, Any]] = {line[key]: line for line in map(json.loads, whole)}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in whole), encoding="utf-8")

    def __contains__(self, key: object) -> bool:
        return key in self._lines

    def __getitem__(self, key: object) -> dict[str, Any]:
        return self._lines[key]

    def add(self, line: dict[str, Any]) -> None:
        """Append a line, which is then among them."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._lines[line[self._key]] = line
