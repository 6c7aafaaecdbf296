"""Spark's folders lie in the home, are private, and go with their session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conf.settings import PROJECT_ROOT
from jobs.spark.folders import session_folder

SESSION = (
    "import sys, os, pathlib; from jobs.spark.folders import session_folder; "
    "folder = session_folder(pathlib.Path(sys.argv[1])); (folder / 'raw').write_text('x'); print(folder, flush=True); "
    "sys.stdin.read()"
)


def test_folders_of_killed_sessions_are_swept_and_those_of_running_ones_stay(tmp_path: Path) -> None:
    """By who is alive, not by age: a folder goes with the process that made it, however that ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", SESSION, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PROJECT_ROOT,
    )
    with process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        first = session_folder(tmp_path)
        assert (theirs / "raw").exists()
        process.kill()
    second = session_folder(tmp_path)
    assert not theirs.exists()
    assert first.is_dir() and second.is_dir()
    assert [folder.stat().st_mode & 0o777 for folder in (first, second, second / "tmp")] == [0o700] * 3
