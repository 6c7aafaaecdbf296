"""What raw lines cost on their way to transitions, here and in DuckDB's SQL: seconds, processor seconds and memory.

Prints JSON lines. Run by `make bench-jobs`; SIZES says how many events (1, 3 and 30 million), SECTIONS which parts:

- `chain`: a log as CSV and as gzip JSON lines (FORMS=csv,jsonl), from raw lines to transitions;
- `marginal`: what a further million costs, between neighboring sizes;
- `heavy`: the same log where one shopper has 5% of the events, against the even one;
- `night`: one day's build where earlier days are published, over a look-back of NIGHT_EVENTS (9 million).

Each measurement runs the pipeline, DuckDB with the same keyed hashes and DuckDB without any, one after the other, each
in a process of its own; REPEATS such rounds, every other one backwards, of which a line holds medians. Spark's start
stands apart. The rows that the two made are compared, and other rows end the benchmark with an error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from conf.paths import Lake
from conf.publication import read_pointers
from conf.settings import Settings
from conf.specs.spec_hash import data_spec_hash
from tests.bench.jobs.duckdb_peer import MEMORY_BYTES, THREADS, VARIABLE, ask_peer, peer_python, variables_of
from tests.bench.jobs.shop_log import N_DAYS, write_log
from tests.bench.jobs.shop_specs import HISTORY_DAYS, pipeline_of

PROJECT = Path(__file__).resolve().parents[2]
HEAVY_SHARE = 0.05
KEY = "a key for measurements"
OURS, KEYED, UNKEYED = "nightcart", "duckdb", "duckdb_without_hashes"

Measured = dict[str, Any]


def main() -> None:
    sizes = [int(size) for size in os.environ.get("SIZES", "1000000,3000000,30000000").split(",")]
    sections = os.environ.get("SECTIONS", "chain,marginal,heavy,night").split(",")
    if peer_python() is None:
        _say({"peer": None, "why": f"{VARIABLE} names no Python with DuckDB"})
    with tempfile.TemporaryDirectory(prefix="bench-jobs-") as name:
        bench, by_size = Bench(Path(name)), dict[int, Measured]()
        if {"chain", "marginal", "heavy"} & set(sections):
            forms = os.environ.get("FORMS", "csv,jsonl").split(",") if "chain" in sections else ["csv"]
            for size in sizes if {"chain", "marginal"} & set(sections) else sizes[:1]:
                for form in forms:
                    found = bench.measure(form, size)
                    _say({"section": "chain", "form": form, "n_events": size} | found)
                    if form == "csv":
                        by_size[size] = found
        if "marginal" in sections and len(sizes) > 1:
            _say({"section": "marginal"} | marginal(by_size))
        if "heavy" in sections:
            heavy = bench.measure("csv", sizes[0], heavy_share=HEAVY_SHARE)
            ratio = heavy[OURS]["processor_seconds"] / by_size[sizes[0]][OURS]["processor_seconds"]
            _say({"section": "heavy", "n_events": sizes[0], "over_even": round(ratio, 3)} | heavy)
        if "night" in sections:
            n_events = int(os.environ.get("NIGHT_EVENTS", "9000000"))
            _say({"section": "night", "n_events": n_events} | bench.measure("csv", n_events, is_night=True))
    if bench.has_other_rows:
        sys.exit("the rows that DuckDB made are others: see is_equal")


class Bench:
    """Measures logs, each in a folder that is gone afterwards.

    Attributes:
        has_other_rows: whether rows of the two chains differed anywhere so far.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._repeats = folder, int(os.environ.get("REPEATS", "1"))
        self.has_other_rows = False

    def measure(self, form: str, size: int, *, heavy_share: float = 0.0, is_night: bool = False) -> Measured:
        """Return medians over the rounds by who was measured, ratios of them, and what the rows have in common."""
        n_days = night_days() if is_night else N_DAYS
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            place = Path(name)
            write_log(place / "logs", size, form, n_days=n_days, heavy_share=heavy_share)
            contenders = [OURS] if peer_python() is None else [OURS, KEYED, UNKEYED]
            rounds: list[dict[str, Measured]] = []
            for number in range(self._repeats):
                turn = contenders[:: -1 if number % 2 else 1]
                rounds.append({who: _run(who, place / f"{who}-{number}", form, n_days, is_night) for who in turn})
            found: Measured = {who: summary([one[who] for one in rounds], is_night=is_night) for who in contenders}
            if len(contenders) > 1:
                found |= ratios(found)
                found["rows"] = {who: _compared(place, form, who) for who in (KEYED, UNKEYED)}
                self.has_other_rows |= any(
                    not table["is_equal"] for tables in found["rows"].values() for table in tables.values()
                )
        return found


def night_days() -> int:
    """Return how many days a night's build reads: those it makes anew, and what they look back on."""
    return HISTORY_DAYS + pipeline_of("csv").settle_days + 1


def summary(rounds: Sequence[Measured], *, is_night: bool) -> Measured:
    """Return medians of seconds and processor seconds by stage and in all, and the highest peak of memory.

    Args:
        rounds: `stages` and `peak_bytes` of each.
        is_night: whether only the build counts: the rest was there before.
    """
    units = ("seconds", "processor_seconds")
    stages = {
        stage: {unit: round(median(one["stages"][stage][unit] for one in rounds), 2) for unit in units}
        for stage in rounds[0]["stages"]
    }
    counted = ["build"] if is_night else [stage for stage in stages if stage != "start"]
    total = {unit: round(sum(stages[one][unit] for one in counted), 2) for unit in units}
    peak = {kind: max(one["peak_bytes"][kind] for one in rounds) for kind in rounds[0]["peak_bytes"]}
    return total | {"stages": stages, "peak_bytes": peak}


def ratios(found: Mapping[str, Measured]) -> Measured:
    """Return processor seconds and seconds of the pipeline over those of DuckDB, with hashes and without."""
    return {
        f"over_{who}": {
            name: round(found[OURS][name] / max(found[who][name], 0.01), 2) for name in ("seconds", "processor_seconds")
        }
        for who in (KEYED, UNKEYED)
    }


def marginal(by_size: Mapping[int, Measured]) -> Measured:
    """Return what a further million events cost between neighboring sizes, and the last such step over the first."""
    found: Measured = {}
    for who in (OURS, KEYED, UNKEYED):
        if any(who not in one for one in by_size.values()):
            continue
        steps = {
            f"{small}-{large}": (by_size[large][who]["processor_seconds"] - by_size[small][who]["processor_seconds"])
            / (large - small)
            * 1e6
            for small, large in pairwise(sorted(by_size))
        }
        costs = list(steps.values())
        found[who] = {
            "processor_seconds_a_million": {name: round(cost, 2) for name, cost in steps.items()},
            "last_over_first": round(costs[-1] / costs[0], 3),
        }
    return found


def _run(who: str, home: Path, form: str, n_days: int, is_night: bool) -> Measured:
    home.mkdir()
    order = {"form": form, "logs": str(home.parent / "logs"), "home": str(home), "n_days": n_days, "is_night": is_night}
    if who != OURS:
        first_day = n_days - 1 - pipeline_of(form).settle_days if is_night else 0
        return ask_peer(
            "duckdb_chain",
            order
            | {
                "variables": variables_of(form, first_day=first_day, n_days=n_days),
                "key": KEY.encode().hex() if who == KEYED else None,
                "threads": THREADS,
                "memory_bytes": MEMORY_BYTES,
                "temporary": str(home / "temporary"),
                "stages": ["ingest", "build"] if is_night else ["ingest", "sessions", "build"],
            },
        )
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.jobs.own_chain"],
        cwd=PROJECT,
        input=json.dumps(order | {"key": KEY}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Measured = json.loads(done.stdout.splitlines()[-1])
    return found


def _compared(place: Path, form: str, who: str) -> dict[str, Any]:
    """Return how the rows of the first round's homes compare, by table; only days that the peer has made."""
    theirs = {
        table.name: sorted(str(path) for path in table.rglob("*.parquet"))
        for table in sorted((place / f"{who}-0").iterdir())
        if table.name in ("events", "sessions", "transitions")
    }
    days = {_day_of(path) for path in theirs["transitions"]}
    ours = {name: _published(place / f"{OURS}-0", form, name) for name in theirs}
    ours["transitions"] = [path for path in ours["transitions"] if _day_of(path) in days]
    return ask_peer("row_comparison", {"ours": ours, "theirs": theirs, "with_ids": who == KEYED})


def _published(home: Path, form: str, table: str) -> list[str]:
    """Return the current files of a table of the home."""
    pipeline = pipeline_of(form)
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": KEY})
    lake = Lake(settings.lake, pipeline.source.name)
    if table == "transitions":
        folder = lake.transitions(pipeline.scenario.name, data_spec_hash(pipeline))
    else:
        folder = lake.table(table)
    return [str(folder / file) for pointer in read_pointers(folder).values() for file in pointer.files]


def _day_of(path: str) -> str:
    return next(part for part in Path(path).parts if part.startswith("date="))


def _say(line: Mapping[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
