"""Commands of the pipeline's environment as processes: followed while they run, gone when they are stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from conf.settings import PROJECT_ROOT, Settings

_KEPT_LINES = 400
_SECONDS_TO_STOP = 20


@dataclass(frozen=True)
class Outcome:
    """How a command ended, with the last lines it said."""

    return_code: int
    stdout: list[str]
    stderr: list[str]


class LearningCommand:
    """`python -m rl …` in the pipeline's environment; `say` gets every line it writes, as it comes."""

    def __init__(self, arguments: Sequence[str], settings: Settings, say: Callable[[str], None]) -> None:
        self.line = [str(settings.pipeline_venv / "bin" / "python"), "-m", "rl", *without_unset(arguments)]
        self._variables = pipeline_environment(settings)
        self._say = say
        self._process: subprocess.Popen[str] | None = None

    def run(self) -> Outcome:
        """Run the command to its end, with its children, and return how it ended.

        Raises:
            FileNotFoundError: the environment has no python.
        """
        process = self._process = subprocess.Popen(
            self.line,
            cwd=PROJECT_ROOT,
            env={**os.environ, **self._variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        stdout: deque[str] = deque(maxlen=_KEPT_LINES)
        stderr: deque[str] = deque(maxlen=_KEPT_LINES)
        reader = threading.Thread(target=self._follow, args=(process.stdout, stdout), daemon=True)
        reader.start()
        try:
            self._follow(process.stderr, stderr)
            reader.join()
            return Outcome(process.wait(), list(stdout), list(stderr))
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop the command and its children; do nothing where they have ended."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _follow(self, stream: IO[str] | None, kept: deque[str]) -> None:
        for line in stream or ():
            kept.append(line.rstrip("\n"))
            self._say(line.rstrip("\n"))


def without_unset(arguments: Sequence[str]) -> list[str]:
    """Return the arguments without empty ones and options without value (`--logs=`): so templates leave them unset."""
    return [argument for argument in arguments if argument and not re.fullmatch(r"--[^=]+=", argument)]


def pipeline_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables that make a process run in the pipeline's environment, with its Spark."""
    folder = settings.pipeline_venv
    python = str(folder / "bin" / "python")
    variables = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(folder),
        "PYTHONPATH": str(PROJECT_ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYSPARK_PYTHON": python,
        "PYSPARK_DRIVER_PYTHON": python,
    }
    # The full pyspark carries the whole of Spark. Without SPARK_HOME, another installation's would be found.
    if found := sorted((folder / "lib").glob("python3*/site-packages/pyspark/bin/spark-submit")):
        variables["SPARK_HOME"] = str(found[0].parent.parent)
    return variables
