"""Fixtures of the tests of faults: one undisturbed lake, and disks of a chosen size."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.e2e.simulated_lake import LAST_DATE, BuiltLake, build_transitions, digests, ingest_logs

Digests = dict[str, Any]


@dataclass(frozen=True)
class Undisturbed:
    """What ingest and build publish where nothing happens to them, and how long they take together."""

    digests: Digests
    seconds: float


@pytest.fixture(scope="session")
def logs(small_lake: BuiltLake) -> Path:
    return small_lake.logs


@pytest.fixture(scope="session")
def undisturbed(small_lake: BuiltLake) -> Undisturbed:
    return Undisturbed(digests_of(small_lake.ingested, small_lake.built), small_lake.seconds)


@pytest.fixture
def all_faults() -> None:
    """Tests of whole processes are for `make test-faults`; `make test` has the short form."""
    if "NIGHTCART_TEST_FAULT_KILLS" not in os.environ:
        pytest.skip("make test-faults runs it")


def digests_in_process(spark: SparkSession, home: Path, logs: Path) -> Digests:
    """Run ingest and build, in this process, over whatever the home holds, and return all digests."""
    ingested = ingest_logs(spark, home, logs, LAST_DATE)
    built = build_transitions(spark, home, LAST_DATE)
    return digests_of(ingested, built)


def digests_of(ingested: dict[str, Any], built: dict[str, Any]) -> Digests:
    return {**digests(ingested, built), "reward": built["reward"]}


class SmallDisk:
    """A file system in memory, of a size that can be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def remount(self, options: str) -> None:
        _run("mount", "-o", f"remount,{options}", str(self.folder))


@pytest.fixture
def disk_of(tmp_path: Path) -> Iterator[Callable[[str], SmallDisk]]:
    """Mount a disk of a size such as `4m`; skipped where this user may not mount."""
    mounted: list[Path] = []

    def mount(size: str) -> SmallDisk:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        if os.geteuid() != 0 or _returncode("mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)):
            pytest.skip("mounting a small disk needs root's rights")
        mounted.append(folder)
        return SmallDisk(folder)

    yield mount
    for folder in mounted:
        _returncode("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _returncode(*command: str) -> int:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode
    except FileNotFoundError:
        return 127
