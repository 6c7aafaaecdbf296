"""A command of the jobs as people run it: plain lines, its log in a file, its own exit code and message."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conf.errors import FAILS_AGAIN
from jobs.commands import quietly
from jobs.commands.quietly import last_message, main, run_quietly

SAYS = "import sys; print('{{\"done\": 1}}'); print('12:00:00 spark WARN much', file=sys.stderr); {}"
FAILS = "print('error: no such delivery\\n  land it first', file=sys.stderr); sys.exit(65)"


@pytest.mark.parametrize(("then", "code"), [("pass", 0), (FAILS, 65)])
def test_a_log_is_in_its_file_and_the_message_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], then: str, code: int
) -> None:
    """What Spark says isn't on stderr, what the command says at last is."""
    told: list[str] = []
    log = tmp_path / "accept.log"
    assert run_quietly([sys.executable, "-c", SAYS.format(then)], "accept", log, told.append) == code
    shown = capfd.readouterr()
    assert (shown.out.strip(), shown.err) == ('{"done": 1}', "")
    assert "spark WARN much" in log.read_text()
    assert told[0] == f"accept: long log: {log}"
    assert told[1].endswith("accept: done" if code == 0 else "accept: FAILED")
    assert told[2:] == ([] if code == 0 else ["error: no such delivery\n  land it first"])


def test_signs_of_life_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quietly, "_SECONDS_BETWEEN_SIGNS", 0.05)
    told: list[str] = []
    run_quietly([sys.executable, "-c", "import time; time.sleep(0.5)"], "accept", tmp_path / "log", told.append)
    assert any(line.endswith("accept …") for line in told)


def test_usage_is_told_whole() -> None:
    assert (
        last_message("usage: jobs/main.py accept\njobs/main.py accept: error: argument --delivery\n").count("\n") == 1
    )
    assert last_message("") == "error: it said nothing"


def test_command_ends_as_the_jobs_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Refused before Spark starts, in one message."""
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path / "home"))
    words = ["accept", "--source", "canonical", "--delivery", "2026-01-05", "--reason", "x"]
    assert main(words) == FAILS_AGAIN
    assert "error: no delivery 2026-01-05 was landed: there is none at all" in capfd.readouterr().err
