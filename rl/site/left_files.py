"""Files that runs left in a home, read one by one: what can't be read is told on the page and stops nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from conf.errors import NightcartError
from conf.publication import Pointer, read_pointer

T = TypeVar("T")
_SHOWN_LINES = 400


@dataclass
class LeftFiles:
    """Reads files of a home, and keeps in `problems` a sentence for each that can't be read."""

    problems: list[str] = field(default_factory=list)

    def attempt(self, read: Callable[[], T], otherwise: T) -> T:
        """Return what `read` returns; where it fails as a file of a home may, note why and return `otherwise`."""
        try:
            return read()
        except (NightcartError, OSError, ValueError) as error:
            self.note((str(error).splitlines() or [type(error).__name__])[0])
            return otherwise

    def note(self, problem: str) -> None:
        """Keep a problem, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def mapping(self, path: Path) -> dict[str, Any]:
        """Return the JSON object in a file; empty where there is no file, or none that can be read, which is noted."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self.note(f"{path}: can't be read ({error})")
            return {}
        if isinstance(content, dict):
            return content
        self.note(f"{path}: expected a JSON object, got a {type(content).__name__}")
        return {}

    def lines(self, path: Path) -> list[dict[str, Any]]:
        """Return the last objects of a file with one JSON object a line, the oldest first; a broken line is noted."""
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
        except FileNotFoundError:
            return []
        except OSError as error:
            self.note(f"{path}: can't be read ({error})")
            return []
        return [found for line in lines if line.strip() and (found := self._line(path, line)) is not None]

    def _line(self, path: Path, line: str) -> dict[str, Any] | None:
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            self.note(f"{path}: a line of it is no JSON object, and is left out")
            return None
        return found

    def pointers(self, folder: Path) -> dict[str, tuple[Pointer, datetime]]:
        """Return a table's current versions by partition, each with when it was published; broken ones are noted."""
        found = {}
        for path in sorted((folder / "_pointers").glob("[!.]*.json")):
            pointer = self.attempt(lambda place=path: read_pointer(place), None)  # type: ignore[misc]  # bound at once
            if pointer is not None:
                found[path.stem] = (pointer, datetime.fromtimestamp(path.stat().st_mtime, tz=UTC))
        return found
