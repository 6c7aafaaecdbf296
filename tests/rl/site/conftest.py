"""Small homes: pointers and what nights leave, without any Spark, learner or registry."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Lake, Run, failures_log
from conf.publication import FileSum, Manifest, Pointer, swap_pointer
from conf.settings import Settings

DAY = date(2026, 3, 2)
SOURCE, SCENARIO = "simulated_shop", "recommendation"


class Home:
    """A home that is filled by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings.from_environment({"NIGHTCART_HOME": str(folder)})
        self.lake = Lake(self.settings.lake, SOURCE)

    def run(self, n: int, *, scenario: str = SCENARIO) -> Run:
        return Run(self.folder, SOURCE, scenario, DAY + timedelta(days=n))

    def write(self, path: Path, content: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    def night(self, n: int, *, ingest: float = 10.0, build: float = 20.0, **registered: Any) -> Run:
        """A night up to its build; with what is registered, up to its end."""
        run = self.run(n)
        self.write(run.ingest_result, {"seconds": {"start": 1.0, "ingest": ingest - 1.0}})
        self.write(run.build_result, {"seconds": {"build": build}})
        if registered:
            self.write(run.registration, {"model": f"{SCENARIO}-policy", "reasons": ["for a reason"], **registered})
        return run

    def failed(
        self, n: int, *, dag: str = f"train_{SCENARIO}", task: str = "evaluate", reason: str = "no space"
    ) -> None:
        path = failures_log(self.folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        line = {"time": "2026-03-03T02:00:00+00:00", "dag": dag, "run": "r", "date": str(DAY + timedelta(days=n))}
        with path.open("a") as file:
            file.write(json.dumps({**line, "task": task, "reason": reason}) + "\n")

    def publish(self, folder: Path, partition: str, *, n_rows: int = 5, **about: Any) -> None:
        content = f"{n_rows}-{partition}"
        manifest = Manifest(
            table=folder.name,
            partition=partition,
            schema_version=1,
            n_rows=n_rows,
            content_hash=content,
            spec_hash="s",
            code_hash="c",
            key_id="k",
            horizon=DAY,
            inputs=about.pop("inputs", {}),
            **about,
        )
        file = f"v-{partition}/part.parquet"
        sums = {file: FileSum(n_bytes=1_000, sha256="0")}
        swap_pointer(Lake.pointer(folder, partition), Pointer(files=(file,), manifest=manifest, sums=sums))

    def deliver(self, n: int, *, n_lines: int = 100, bot: int = 0, unreadable: int = 0, **about: Any) -> None:
        counters = {
            "n_lines": n_lines,
            "n_events": n_lines - bot - unreadable,
            "n_rejected": bot + unreadable,
            "n_not_yet": 0,
            "rejected.bot_rate": bot,
            "rejected.unreadable": unreadable,
        }
        day = DAY + timedelta(days=n)
        inputs = {f"events/{day}/log.jsonl": "1", "ids/keyed": "yes", f"header/{day}/log.jsonl": "2"}
        self.publish(self.lake.table("events"), f"delivery_date={day}", counters=counters, inputs=inputs, **about)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")
