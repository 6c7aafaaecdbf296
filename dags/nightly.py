"""The main job, `make nightly`: all DAGs for one date, through Airflow, in process.

Shows its progress on stderr, keeps Airflow's own output in a log file, and prints one JSON object on stdout.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, TextIO

from conf.errors import NightcartError
from conf.paths import Run
from conf.plain_json import to_json
from conf.private_home import keep_private, refuse_unwritable
from conf.settings import Settings
from dags.airflow_database import make_database
from dags.airflow_environment import airflow_environment
from dags.command_output import clear_message
from dags.nightly_request import NightlyRequest, RequestError, last_logged_day, read_request
from dags.pipeline_command import LearningCommand


def main(arguments: list[str]) -> int:
    """The exit code: 0, or 1 after one clear message at the end of stderr."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stopping has one meaning, whoever asks
    try:
        settings = Settings.from_environment()
        request = read_request(arguments, settings)
        keep_private(settings)
        refuse_unwritable(settings)
        with _only_one(settings.home):
            result = _run(request, settings)
    except (NightcartError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: stopped; what is published stays, and `make nightly` goes on from there", file=sys.stderr)
        return 130
    print(to_json(result), flush=True)
    return 0


def _run(request: NightlyRequest, settings: Settings) -> dict[str, Any]:
    """The night's result, with seconds by stage."""
    log = settings.home / "logs" / f"nightly-{datetime.now().astimezone():%Y-%m-%dT%H-%M-%S}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    where = f"{request.scenario} on {request.source}, {request.date or 'last simulated day'}"
    print(f"nightly: {where}; long log: {log}", file=sys.stderr, flush=True)
    environment = airflow_environment(settings)
    os.environ |= environment | {
        "NIGHTCART_SOURCE": request.source,
        "NIGHTCART_APPROVAL": settings.approval or "auto",
    }
    with _output_in(log) as (shown, log_file):
        make_database(environment, log)
        # Airflow reads its configuration when it is imported, and takes seconds: not before the request is checked.
        from dags.nightly_dags import run_night  # noqa: PLC0415
        from dags.nightly_progress import NightlyProgress  # noqa: PLC0415

        progress = NightlyProgress(lambda line: _show(line, shown))
        try:
            settled = _with_logs(request, settings, progress, log_file)
            os.environ["NIGHTCART_TONIGHT"] = str(settled.date)
            run_conf = {"date": str(settled.date), "logs": str(settled.logs) if settled.logs else None}
            run_night(settled.scenario, run_conf, progress)
        finally:
            progress.end()
    return _result(settled, settings, progress.seconds, progress.elapsed)


def _with_logs(request: NightlyRequest, settings: Settings, progress: Any, log_file: TextIO) -> NightlyRequest:
    """The request with its logs written and its date known."""
    if request.shop_to_write is None:
        return request
    last = f"--last-date={request.date or ''}"
    command = LearningCommand(
        ["simulate-shop", f"--out={request.shop_to_write}", last],
        settings,
        lambda line: print(line, file=log_file, flush=True),
    )
    with progress.stage("simulate_shop"):
        outcome = command.run()
        if outcome.return_code:
            raise RequestError(f"simulate_shop: {clear_message(outcome.stderr)}")
    return replace(request, date=request.date or last_logged_day(request.shop_to_write))


def _result(request: NightlyRequest, settings: Settings, seconds: dict[str, float], total: float) -> dict[str, Any]:
    run = Run(settings.home, request.source, request.scenario, request.date or date.min)
    ingest, build = _read(run.ingest_result), _read(run.build_result)
    stages = {name: round(took, 1) for name, took in seconds.items()}
    return {
        "scenario": request.scenario,
        "source": request.source,
        "date": str(request.date),
        **_verdict(run),
        **{key: ingest[key] for key in ("n_events", "n_rejected", "n_not_yet")},
        "n_transitions": build["n_transitions"],
        "seconds": {**stages, "airflow": round(total - sum(seconds.values()), 1), "total": round(total, 1)},
    }


def _verdict(run: Run) -> dict[str, Any]:
    """What the night came to; a log that rightly teaches nothing is an abstention without a version."""
    if run.nothing_to_learn.exists():
        return {"verdict": "abstain", "reasons": [_read(run.nothing_to_learn)["skipped"]]}
    registration = _read(run.registration)
    names = ("verdict", "model", "version", "dataset_digest")
    return {**{name: registration[name] for name in names}, "page": str(run.page)}


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """No other nightly run works in this home: Airflow's embedded database has one writer at a time."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "nightly.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RequestError(f"another `make nightly` is running in {home}; wait for it, or stop it") from error
        yield


@contextmanager
def _output_in(log: Path) -> Iterator[tuple[TextIO, TextIO]]:
    """Everything this process and its children write goes to the log; given are the real stderr and the log.

    By file descriptor, since Airflow, Spark and their loggers hold on to the streams they find.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept_stdout, kept_stderr = os.dup(1), os.dup(2)
    with log.open("a", buffering=1, encoding="utf-8") as log_file, os.fdopen(os.dup(2), "w", buffering=1) as shown:
        try:
            os.dup2(log_file.fileno(), 1)
            os.dup2(log_file.fileno(), 2)
            yield shown, log_file
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(kept_stdout, 1)
            os.dup2(kept_stderr, 2)
            os.close(kept_stdout)
            os.close(kept_stderr)


def _show(line: str, shown: TextIO) -> None:
    shown.write(line)
    shown.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
