"""A command of `jobs/main.py` as people run it: its log in a file, a few plain lines on stderr, its result on stdout.

`python -m jobs.commands.quietly COMMAND ...` takes what `jobs/main.py` takes, and ends with its exit code.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from conf.closed_output import end_with_the_reader
from conf.errors import NightcartError, exit_code
from conf.settings import Settings

_SECONDS_BETWEEN_SIGNS = 15.0
_SPARK_LOG = re.compile(r"^(\d\d/\d\d/\d\d )?\d\d:\d\d:\d\d ")


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the command's exit code, after its result stands on stdout or its message on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        settings = Settings.from_environment()
    except NightcartError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return exit_code(error)
    name = next((one for one in given if not one.startswith("-")), "jobs")
    log = settings.home / "logs" / f"{name}-{datetime.now().astimezone():%Y-%m-%dT%H-%M-%S}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    return run_quietly([sys.executable, "-m", "jobs.main", *given], name, log, _tell)


def run_quietly(command: Sequence[str], name: str, log: Path, tell: Callable[[str], None]) -> int:
    """Run a command to its end and return its exit code; its stdout is left as it is.

    Args:
        command: with its arguments.
        name: what it is called in the lines for people.
        log: file that gets what it says on stderr.
        tell: shows a line to people.
    """
    started = time.monotonic()
    tell(f"{name}: long log: {log}")
    with log.open("w", encoding="utf-8") as written:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=written)
        try:
            code = _followed(process, name, started, tell)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    how = "done" if code == 0 else "FAILED"
    tell(f"[{time.monotonic() - started:6.1f} s] {name}: {how}")
    if code:
        tell(last_message(log.read_text(encoding="utf-8", errors="replace")))
    return code


def last_message(text: str) -> str:
    """Return what a failed command ended with: from its last line `error: ...` or `usage: ...` on, without Spark's own.

    >>> last_message("12:00:00 spark WARN x\\nerror: no delivery\\n  it is gone\\n12:00:01 spark INFO y\\n")
    'error: no delivery\\n  it is gone'
    """
    lines = [line for line in text.splitlines() if line.strip() and not _SPARK_LOG.match(line)]
    starts = [place for place, line in enumerate(lines) if line.startswith(("error: ", "usage: "))]
    return "\n".join(lines[starts[-1] :] if starts else lines[-1:]) or "error: it said nothing"


def _followed(process: subprocess.Popen[bytes], name: str, started: float, tell: Callable[[str], None]) -> int:
    """Return the exit code; tell that the command is still at work as long as it is."""
    while True:
        try:
            return process.wait(timeout=_SECONDS_BETWEEN_SIGNS)
        except subprocess.TimeoutExpired:
            tell(f"[{time.monotonic() - started:6.1f} s] {name} …")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    end_with_the_reader()
    sys.exit(main())
