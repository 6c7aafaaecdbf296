"""The jobs' commands, one after another in one Spark session: a process beside this one, which runs no Spark itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from conf.settings import PROJECT_ROOT
from rl.errors import LoopError


class SparkJobs:
    """The process, and its answers. Use it in a `with` statement, which ends it."""

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        """Start the process in the environment; what it says beside its answers is appended to the log."""
        self._log_path = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log.open("a", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jobs.standing"],
            cwd=PROJECT_ROOT,
            env={**environment, "PYTHONPATH": str(PROJECT_ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def run(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the result of one command, such as `ingest --source=S --date=D`.

        Raises:
            LoopError: the command failed; the message is its own, or the process ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise LoopError("the process of Spark's jobs has no pipes")
        try:
            stdin.write(json.dumps(list(arguments)) + "\n")
            stdin.flush()
            answer = stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise LoopError(f"{arguments[0]}: the process of Spark's jobs has ended; {self._log_path} may say why")
        found: dict[str, Any] = json.loads(answer)
        if "error" in found:
            raise LoopError(f"{arguments[0]}: {found['error']}")
        result: dict[str, Any] = found["result"]
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(BrokenPipeError):  # the process may have ended by itself
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
