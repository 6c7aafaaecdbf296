"""The jobs' commands as processes of their own, with all that they start, killed or watched from outside."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from conf.settings import PROJECT_ROOT
from tests.e2e.simulated_lake import LAST_DATE, PIPELINE, settings_of

SECONDS_TO_START = 120.0


@dataclass(frozen=True)
class Shop:
    """A home and the logs that were delivered to it."""

    home: Path
    logs: Path

    def start(self, command: str, horizon: date = LAST_DATE) -> subprocess.Popen[str]:
        """Start `ingest` or `build` as the head of a process group, so that a signal reaches Java and workers too."""
        arguments = [f"--source={PIPELINE.source.name}", f"--date={horizon}"]
        if command == "ingest":
            arguments.append(f"--logs={self.logs}")
        if command == "build":
            arguments.append(f"--scenario={PIPELINE.scenario.name}")
        return subprocess.Popen(
            [sys.executable, "-m", "jobs.main", command, *arguments],
            cwd=PROJECT_ROOT,
            env=_environment(self.home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str, horizon: date = LAST_DATE) -> dict[str, Any]:
        """Return what the command said, once it got through."""
        return result_of(self.start(command, horizon))


def result_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the last line of the command's stdout as JSON; fail with its stderr where it failed."""
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def message_of(process: subprocess.Popen[str]) -> str:
    """Return the one message with which the command failed; fail where it got through or shows a traceback."""
    out, err = process.communicate(timeout=600)
    assert process.returncode not in (0, None), out
    messages = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(messages) == 1, err
    assert "Traceback" not in err
    return messages[0]


def kill_at_random(process: subprocess.Popen[str], within_seconds: float, rng: random.Random) -> bool:
    """Kill the whole group at a random moment after Spark has started; return whether it was still running.

    Args:
        process: the head of a process group, with stderr as a pipe.
        within_seconds: the moment is uniform in so many seconds.
        rng: draws the moment.
    """
    assert process.stderr is not None
    deadline = time.monotonic() + SECONDS_TO_START
    for line in process.stderr:
        if "spark_started" in line or time.monotonic() > deadline:
            break
    time.sleep(rng.uniform(0.0, within_seconds))
    was_running = process.poll() is None
    if was_running:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return was_running


def _environment(home: Path) -> dict[str, str]:
    """Return this process's environment with settings of the home alone."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("NIGHTCART_")}
    key = settings_of(home).pseudonym_key().decode()
    return others | {"NIGHTCART_HOME": str(home), "NIGHTCART_PSEUDONYM_KEY": key}
