"""The jobs' commands one after another in one Spark session."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rl.errors import LoopError
from rl.loop.spark_jobs import SparkJobs
from tests.jobs.shop_logs import DAYS, day_lines, deliver_days
from tests.spark_plans import INTERPRETED

pytestmark = pytest.mark.e2e


def test_commands_share_a_session_and_errors_leave_it_running(tmp_path: Path) -> None:
    """What fails is told in its own words, and what follows it runs; nothing but answers stands on stdout."""
    logs, home = deliver_days(tmp_path / "logs", DAYS[:2]), tmp_path / "home"
    environment = dict(os.environ) | {"NIGHTCART_HOME": str(home)}
    environment["PYSPARK_SUBMIT_ARGS"] = " ".join([*_options(), "pyspark-shell"])
    with SparkJobs(tmp_path / "spark.log", environment) as jobs:
        first = jobs.run(["ingest", "--source=canonical", f"--date={DAYS[0]}", f"--logs={logs}"])
        assert first["n_events"] == len(day_lines(DAYS[0]))
        with pytest.raises(LoopError, match=r"ingest: .*did you mean 'canonical'"):
            jobs.run(["ingest", "--source=canonica", f"--date={DAYS[0]}"])
        with pytest.raises(LoopError, match="wrong arguments"):
            jobs.run(["ingest", "--sauce=canonical"])
        second = jobs.run(["ingest", "--source=canonical", f"--date={DAYS[1]}"])
        assert second["n_events"] == sum(len(day_lines(day)) for day in DAYS[:2])
        assert second["seconds"]["start"] < 1
        result = json.dumps(second)
    assert "Traceback" not in result
    with pytest.raises(LoopError, match="has ended"), SparkJobs(tmp_path / "other.log", environment) as jobs:
        jobs._process.kill()
        jobs._process.wait()
        jobs.run(["ingest", "--source=canonical", f"--date={DAYS[0]}"])


def _options() -> list[str]:
    return [word for name, value in INTERPRETED.items() for word in ("--conf", f"{name}={value}")]
