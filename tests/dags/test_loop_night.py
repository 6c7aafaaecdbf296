"""A seed of the loop through Airflow: its night is the one that the loop runs in its own process.

Minutes, so that `make test-stories` runs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from conf.paths import Run
from conf.settings import PROJECT_ROOT, Settings

SOURCE, SCENARIO = "served_shop", "recommendation"
SAME = ("dataset_digest", "spec_hash", "selected", "verdict", "gain", "over_control", "reports", "level")

pytestmark = [
    pytest.mark.skipif(not os.environ.get("NIGHTCART_TEST_STORIES"), reason="make test-stories runs it"),
    pytest.mark.timeout(1800),
]


def run(home: Path, *command: str | Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "NIGHTCART"))}
    environment |= {"NIGHTCART_HOME": str(home), "NIGHTCART_APPROVAL": "auto"}
    done = subprocess.run(
        [str(word) for word in command], cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def told(home: Path, night: str) -> dict[str, Any]:
    path = Run(home, SOURCE, SCENARIO, date.fromisoformat(night)).evaluation
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: found[name] for name in SAME}


def test_a_night_of_the_loop_is_the_same_through_airflow(tmp_path: Path) -> None:
    """From the same deliveries and key: dataset, policy to the bit, figures, verdict; its truth stays there."""
    pipeline = Settings.from_environment().pipeline_venv / "bin" / "python"
    run(tmp_path / "home", pipeline, "-m", "rl", "loop", "--scenario", SCENARIO, "--days", "1", "--seed", "1")
    lived, other = tmp_path / "home" / "loops" / f"{SCENARIO}-1", tmp_path / "airflow"
    night = min(one.name for one in (lived / "runs" / SOURCE / SCENARIO).iterdir())
    other.mkdir(mode=0o700)
    (other / "pseudonym.key").write_bytes((lived / "pseudonym.key").read_bytes())
    (other / "pseudonym.key").chmod(0o600)
    logs = lived / "shops" / SOURCE / "logs"
    nightly = ("-m", "dags.nights.nightly", "--source", SOURCE, "--logs", logs, "--date", night, "--scenario", SCENARIO)
    run(other, sys.executable, *nightly)
    assert told(other, night) == told(lived, night)
