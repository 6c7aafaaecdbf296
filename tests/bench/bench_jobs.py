"""What raw lines cost on their way to transitions: seconds, processor seconds and memory of each stage.

Prints JSON lines. Run by `make bench-jobs`; SIZES says how many events (3 and 30 million), SECTIONS which parts:
`chain` (CSV and gzip JSON lines), `marginal` (what a further million costs), `heavy` (one shopper with 5% of them).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bench.jobs.shop_log import write_log

PROJECT = Path(__file__).resolve().parents[2]
STAGES = ("land", "ingest", "sessions", "build")
HEAVY_SHARE = 0.05


def main() -> None:
    sizes = [int(size) for size in os.environ.get("SIZES", "3000000,30000000").split(",")]
    sections = os.environ.get("SECTIONS", "chain,marginal,heavy").split(",")
    with tempfile.TemporaryDirectory(prefix="bench-jobs-") as folder:
        measured = {
            (form, size): run(Path(folder), form, size)
            for form in (("csv", "jsonl") if "chain" in sections else ("csv",))
            for size in sizes
        }
        for (form, size), found in measured.items():
            print(json.dumps({"section": "chain", "form": form, "n_events": size} | found), flush=True)
        if "marginal" in sections and len(sizes) > 1:
            print(json.dumps(marginal({size: measured["csv", size] for size in sizes})), flush=True)
        if "heavy" in sections:
            even, heavy = measured["csv", sizes[0]], run(Path(folder), "csv", sizes[0], HEAVY_SHARE)
            ratio = heavy["processor_seconds"] / even["processor_seconds"]
            print(json.dumps({"section": "heavy", "n_events": sizes[0], "ratio": round(ratio, 3)} | heavy), flush=True)


def run(folder: Path, form: str, size: int, heavy_share: float = 0.0) -> dict[str, Any]:
    """Return what the chain used on a log of that many events, by stage and in all; Spark's start stands apart."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        logs, home = Path(place) / "logs", Path(place) / "home"
        write_log(logs, size, form, heavy_share=heavy_share)
        command = [sys.executable, "-m", "tests.bench.jobs.own_chain", form, str(logs), str(home)]
        done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    stages = found["stages"]
    return found | {
        name: round(sum(stages[stage][name] for stage in STAGES), 2) for name in ("seconds", "processor_seconds")
    }


def marginal(by_size: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return processor seconds that a further million events cost between neighboring sizes."""
    sizes = sorted(by_size)
    steps = {
        f"{small}-{large}": round(
            (by_size[large]["processor_seconds"] - by_size[small]["processor_seconds"]) / (large - small) * 1e6, 2
        )
        for small, large in pairwise(sizes)
    }
    return {"section": "marginal", "processor_seconds_a_million": steps}


if __name__ == "__main__":
    main()
