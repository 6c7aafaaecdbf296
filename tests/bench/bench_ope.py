"""How far estimates of policy value and their intervals can be trusted, against known truths and against peers.

Prints JSON lines. Run by `make bench-ope`; `SECTIONS` names the parts to run, `REPLICATIONS` how many logs of each kind
the coverage rows rest on. `OUT` keeps what these logs came to, so that a run that was stopped goes on. A section is a
module beside this one whose `lines()` yields one dict a line.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence

SECTIONS = {
    "coverage": "tests.bench.ope.coverage",
    "light": "tests.bench.ope.light",
    "neural": "tests.bench.ope.neural",
    "segments": "tests.bench.ope.segments",
    "selection": "tests.bench.ope.selection",
    "peers": "tests.bench.ope.peers",
    "memory": "tests.bench.ope.memory",
}
BY_NAME_ALONE = ("light",)
"""Sections that another one holds already: run only where they are named."""


def main(names: Sequence[str]) -> None:
    """The sections of those names, one after the other; progress goes to stderr.

    Raises:
        SystemExit: a name is unknown.
    """
    if unknown := [name for name in names if name not in SECTIONS]:
        raise SystemExit(f"unknown sections {', '.join(unknown)}; known are {', '.join(SECTIONS)}")
    for name in names:
        started = time.perf_counter()
        for line in _lines(name)():
            print(json.dumps(line), flush=True)
        print(f"section {name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def _lines(name: str) -> Callable[[], Iterator[dict[str, object]]]:
    """The section's lines; none where its module isn't there."""
    if importlib.util.find_spec(SECTIONS[name]) is None:
        print(f"section {name}: no module {SECTIONS[name]}", file=sys.stderr, flush=True)
        return lambda: iter(())
    found: Callable[[], Iterator[dict[str, object]]] = importlib.import_module(SECTIONS[name]).lines
    return found


if __name__ == "__main__":
    asked = os.environ.get("SECTIONS")
    main(
        [name.strip() for name in asked.split(",")] if asked else [one for one in SECTIONS if one not in BY_NAME_ALONE]
    )
