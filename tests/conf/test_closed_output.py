"""A reader that leaves, such as `head`, ends a telling command without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conf.settings import PROJECT_ROOT

LINE = '{"event_time": "2026-01-05T12:00:00Z", "event_type": "view", "user_id": "ann"}\n'


@pytest.mark.parametrize("command", ["check_source", "propose_source"])
def test_nothing_is_said_to_nobody(tmp_path: Path, command: str) -> None:
    """The command ends by the signal, as other programs do, and leaves no traceback."""
    (tmp_path / "2026-01-05").mkdir()
    (tmp_path / "2026-01-05" / "events.jsonl").write_text(LINE * 30)
    given = {
        "check_source": ["--source", "canonical", "--logs", str(tmp_path)],
        "propose_source": [str(tmp_path / "2026-01-05" / "events.jsonl")],
    }
    said = tmp_path / "said"
    read, write = os.pipe()
    os.close(read)
    with said.open("wb") as errors:
        done = subprocess.run(
            [sys.executable, "-m", f"jobs.commands.{command}", *given[command]],
            cwd=PROJECT_ROOT,
            stdout=write,
            stderr=errors,
            check=False,
        )
    os.close(write)
    assert done.returncode == -signal.SIGPIPE
    assert "Traceback" not in said.read_text()
