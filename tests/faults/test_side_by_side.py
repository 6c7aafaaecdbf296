"""Commands side by side, and workers that vanish: the same tables, or one clear message and them after it."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from pathlib import Path
from subprocess import Popen

import pytest
from pyspark.sql import SparkSession

from tests.e2e.simulated_lake import LAST_DATE
from tests.faults.conftest import Undisturbed, digests_in_process
from tests.faults.whole_commands import SECONDS_TO_START, Shop, message_of, result_of

pytestmark = pytest.mark.usefixtures("all_faults")


def test_two_ranges_at_once(spark: SparkSession, undisturbed: Undisturbed, logs: Path, tmp_path: Path) -> None:
    """Ingests of two horizons, and then builds of both, started together."""
    shop = Shop(tmp_path / "home", logs)
    horizons = (LAST_DATE - timedelta(days=2), LAST_DATE)
    for command in ("ingest", "build"):
        running = [shop.start(command, horizon) for horizon in horizons]
        for process in running:
            result_of(process)
    assert digests_in_process(spark, shop.home, logs) == undisturbed.digests


def test_a_build_beside_the_same_build(
    spark: SparkSession, undisturbed: Undisturbed, logs: Path, tmp_path: Path
) -> None:
    """The second waits for the first, finds its work done, and says the same."""
    shop = Shop(tmp_path / "home", logs)
    shop.run("ingest")
    first, second = (result_of(process) for process in [shop.start("build"), shop.start("build")])
    assert first["partitions"] == second["partitions"] == undisturbed.digests["transitions"]
    assert digests_in_process(spark, shop.home, logs) == undisturbed.digests


@pytest.mark.parametrize("command", ["ingest", "build"])
def test_a_lost_python_worker(
    spark: SparkSession, undisturbed: Undisturbed, logs: Path, tmp_path: Path, command: str
) -> None:
    """Spark's Python workers are killed while they work: Spark starts others, or the command says what happened."""
    shop = Shop(tmp_path / "home", logs)
    if command == "build":
        shop.run("ingest")
    process = shop.start(command)
    kill_workers(process)
    if process.wait(timeout=600) != 0:
        assert "Spark failed" in message_of(process)
    assert digests_in_process(spark, shop.home, logs) == undisturbed.digests


def kill_workers(process: Popen[str]) -> None:
    """Kill the Python workers of the command's process group as soon as there are any."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        workers = [pid for pid in group_members(process.pid) if b"pyspark.worker" in command_line(pid)]
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        if workers:
            return
        time.sleep(0.05)
    raise AssertionError("no worker was seen")


def group_members(group: int) -> list[int]:
    """Return the ids of the processes of the group, as Linux shows them."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if os.getpgid(int(folder.name)) == group:
                    found.append(int(folder.name))
            except ProcessLookupError:
                continue
    return found


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
