"""The same jobs on a standalone cluster: a master and two workers that share the lake alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.settings import PROJECT_ROOT
from tests.e2e.simulated_lake import LAST_DATE, BuiltLake, digests
from tests.e2e.standalone_cluster import small_driver, standalone_cluster

_NEEDED_BYTES = 4 << 30
_WHERE = ["--source", "simulated_shop", "--date", str(LAST_DATE)]


def available_bytes() -> int:
    (line,) = (one for one in Path("/proc/meminfo").read_text().splitlines() if one.startswith("MemAvailable:"))
    return int(line.split()[1]) << 10


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    if available_bytes() < _NEEDED_BYTES:
        pytest.skip("a cluster of two workers needs 4 GiB of free memory")
    with standalone_cluster(tmp_path / "cluster") as master:
        yield master


@pytest.mark.e2e
def test_a_cluster_gives_the_digests_of_one_machine(small_lake: BuiltLake, tmp_path: Path, cluster: str) -> None:
    """Bit for bit; both executors run the code that the driver sent, and nobody else may read what they wrote."""
    home = tmp_path / "home"
    commands = [["ingest", *_WHERE, "--logs", str(small_lake.logs)], ["build", *_WHERE, "--scenario", "recommendation"]]
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.on_cluster", str(tmp_path / "told.json")],
        cwd=PROJECT_ROOT,
        env={
            **os.environ,
            **small_driver(tmp_path, cluster),
            "NIGHTCART_HOME": str(home),
            "NIGHTCART_PSEUDONYM_KEY": "one key for every lake of a test",
        },
        input="".join(f"{json.dumps(command)}\n" for command in commands),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ingested, built = (json.loads(line)["result"] for line in done.stdout.splitlines())
    assert digests(ingested, built) == small_lake.digests
    found = [json.loads(one) for one in json.loads((tmp_path / "told.json").read_text())]
    assert {one["code"] for one in found} == {f"{one['executor']}/nightcart/jobs/__init__.py" for one in found}
    assert len({one["executor"] for one in found}) == 2
    assert {one["umask"] for one in found} == {0o077}
    assert [str(path) for path in (home / "lake").rglob("*") if path.stat().st_mode & 0o077] == []
    assert not list((home / "lake").glob(".spark-*")), "the driver's marker was left in the lake"
