"""A stand-in for the pipeline's environment: `python -m rl …` and `spark-submit` that leave what docs/pipeline.md says.

It lets the DAGs be tested without Spark and training; the scheduler's test and the end-to-end tests run the real ones.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PROJECT_ROOT = Path(__file__).resolve().parents[2]

# A shell starts it, as pip's own scripts do where the interpreter's path holds a space, which a first line can't.
_COMMAND = """#!/bin/sh
\'\'\'exec' "{python}" "$0" "$@"
' \'\'\'
import json, os, sys
from datetime import date, timedelta
from pathlib import Path
sys.path.insert(0, {root!r})
from conf.paths import Run
here = Path(__file__).resolve().parent.parent
words = sys.argv[1:]
start = next(i for i, word in enumerate(words) if word.endswith("main.py") or word == "rl") + 1
command = words[start]
options = {{name[2:]: value for name, _, value in (word.partition("=") for word in words[start + 1:])}}
told = json.loads((here / "told.json").read_text())
with (here / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps({{"command": command, "options": options, "words": words[:start],
                             "path": os.environ["PATH"], "pythonpath": os.environ["PYTHONPATH"],
                             "spark_master": os.environ.get("NIGHTCART_SPARK_MASTER")}}) + "\\n")
print("a line of log", file=sys.stderr, flush=True)
print("26/01/31 03:00:00 INFO ShutdownHookManager: Shutdown hook called", file=sys.stderr, flush=True)
key = command + ":" + options["candidate"] if command == "train" else command
if key in told["fail"]:
    code, message = told["fail"][key]
    print(("jobs " if words[start - 1].endswith("main.py") else "rl ") + command + ": " + message, file=sys.stderr)
    sys.exit(code)
result = {{"ok": True}}
if command in told["skip"]:
    if command == "prepare":
        day = date.fromisoformat(options["date"])
        run = Run(Path(os.environ["NIGHTCART_HOME"]), options["source"], options["scenario"], day)
        run.nothing_to_learn.write_text(json.dumps({{"skipped": told["skip"][command]}}))
        run.page.write_text("nothing learned")
    print(json.dumps({{"skipped": told["skip"][command]}}))
    sys.exit(99)
if command == "simulate-shop":
    day = options.get("last-date", "2026-01-31")
    logs = Path(options["out"]) / "logs" / day
    logs.mkdir(parents=True)
    (logs / "events.jsonl").write_text("{{}}")
    (Path(options["out"]) / "shop.json").write_text("{{}}")
else:
    scenario = options.get("scenario", "recommendation")
    if command == "observe":
        day = date.fromisoformat(options["as-of"]) - timedelta(days=1)
    elif command == "reject":
        day = date.min
    else:
        day = date.fromisoformat(options["date"])
    run = Run(Path(os.environ["NIGHTCART_HOME"]), options.get("source", "none"), scenario, day)
    run.folder.mkdir(parents=True, exist_ok=True)
    if command == "ingest":
        result = {{"n_lines": 10, "n_events": 7, "n_rejected": 2, "n_not_yet": 1}}
        run.ingest_result.write_text(json.dumps(result))
    if command == "build":
        result = {{"n_transitions": 5}}
        run.build_result.write_text(json.dumps(result))
    if command == "decide":
        result = {{"as_of": "2026-02-02", "version": 3, "verdict": "promote", "is_draft": False, "n_shoppers": 9,
                  "offers": {{"voucher": 2}}, "committed": 8.0,
                  "weekly_budget": 10.0, "csv": "list.csv"}}
        if scenario == "recommendation":
            result |= {{"n_decisions": 9, "n_control": 0, "groups": {{"champion": 9}}}}
        run.decide_result.write_text(json.dumps(result))
    if command == "register":
        result = {{"model": scenario + "-policy", "version": 3, "verdict": told["verdict"], "reasons": ["told so"],
                  "dataset_digest": "d1", "run_id": "r1", "is_new": True}}
        run.registration.write_text(json.dumps(result))
print(json.dumps(result))
"""


def write_fake_pipeline(
    folder: Path,
    *,
    verdict: str = "promote",
    fail: dict[str, tuple[int, str]] | None = None,
    skip: dict[str, str] | None = None,
) -> Path:
    """A folder to name in NIGHTCART_PIPELINE_VENV.

    Commands named in `fail` end with that code and message, those in `skip` have nothing to do for that reason.
    """
    bin_folder = folder / "bin"
    bin_folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "spark-submit"):
        path = bin_folder / name
        path.write_text(_COMMAND.format(python=sys.executable, root=str(PROJECT_ROOT)))
        path.chmod(0o755)
    (folder / "told.json").write_text(json.dumps({"verdict": verdict, "fail": fail or {}, "skip": skip or {}}))
    return folder


def calls(folder: Path) -> list[dict[str, Any]]:
    """The commands that were run, in order, with their options."""
    path = folder / "calls.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
