"""How fast the learning core is, against stock d3rlpy and against what the hardware can do.

Prints JSON lines. Run by `make bench-train`; `SECTIONS` names the parts to run, `DEVICE` is cpu or cuda, `REPEATS` how
many rounds the contenders of a line run in turn, `THREADS` with how many threads a full step is timed. A section is a
module beside this one whose `lines()` yields one dict a line.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import d3rlpy  # noqa: F401  (it sets logging up, to stdout)
import structlog
import torch

SECTIONS = {
    "sampling": "tests.bench.train.sampling",
    "step": "tests.bench.train.step",
    "dataset": "tests.bench.train.dataset",
    "fqe": "tests.bench.train.fqe",
    "catalogue": "tests.bench.train.catalogue",
}


def main(names: Sequence[str]) -> None:
    """The sections of those names, one after the other; progress goes to stderr.

    Raises:
        SystemExit: a name is unknown, or there is no such device.
    """
    if unknown := [name for name in names if name not in SECTIONS]:
        raise SystemExit(f"unknown sections {', '.join(unknown)}; known are {', '.join(SECTIONS)}")
    if (device := os.environ.get("DEVICE") or "cpu") not in ("cpu", "cuda"):
        raise SystemExit(f"DEVICE is {device!r}, expected cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("DEVICE is cuda, but torch finds no GPU")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or 1))
    for name in names:
        started = time.perf_counter()
        for line in _lines(name):
            print(json.dumps(line), flush=True)
        print(f"section {name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


def _lines(name: str) -> Iterator[dict[str, object]]:
    """The section's lines; one that says so where its module isn't there."""
    if importlib.util.find_spec(SECTIONS[name]) is None:
        return iter([{"bench": f"train_{name}", "measured": False, "why": f"no module {SECTIONS[name]}"}])
    found: Iterator[dict[str, object]] = importlib.import_module(SECTIONS[name]).lines()
    return found


if __name__ == "__main__":
    asked = os.environ.get("SECTIONS")
    main([name.strip() for name in asked.split(",")] if asked else list(SECTIONS))
