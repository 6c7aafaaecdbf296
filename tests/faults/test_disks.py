"""Disks that are full or read-only: one clear message, nothing lost, and the same tables once there is room."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.errors import NightcartError
from jobs.failure_reason import SPARK_FAILURES, failure_reason
from tests.e2e.simulated_lake import LAST_DATE, build_transitions, ingest_logs
from tests.faults.conftest import SmallDisk, Undisturbed, digests_in_process
from tests.faults.whole_commands import Shop, message_of

DiskOf = Callable[[str], SmallDisk]


def test_ingest_and_build_on_a_full_disk_lose_nothing(
    spark: SparkSession, undisturbed: Undisturbed, logs: Path, disk_of: DiskOf
) -> None:
    """Each fails for want of room, says so, and gets through once there is room."""
    disk = disk_of("600k")
    with pytest.raises((NightcartError, OSError, *SPARK_FAILURES)) as failed:
        ingest_logs(spark, disk.folder, logs, LAST_DATE)
    assert "the disk is full" in failure_reason(failed.value)
    disk.remount("size=200m")
    ingest_logs(spark, disk.folder, logs, LAST_DATE)
    ballast = fill(disk.folder, leave=100_000)
    with pytest.raises((NightcartError, OSError, *SPARK_FAILURES)) as failed:
        build_transitions(spark, disk.folder, LAST_DATE)
    assert "the disk is full" in failure_reason(failed.value)
    ballast.unlink()
    assert digests_in_process(spark, disk.folder, logs) == undisturbed.digests
    assert list(disk.folder.rglob("_staging/*")) == []


@pytest.mark.usefixtures("all_faults")
@pytest.mark.parametrize("command", ["ingest", "build"])
def test_a_command_on_a_full_disk_says_so(
    spark: SparkSession, undisturbed: Undisturbed, logs: Path, disk_of: DiskOf, command: str
) -> None:
    """The process, whose shuffles are on the full disk too, ends with one message; the next one gets through."""
    disk = disk_of("300m")
    shop = Shop(disk.folder / "home", logs)
    if command == "build":
        shop.run("ingest")
    ballast = fill(disk.folder, leave=400_000)
    assert "the disk is full" in message_of(shop.start(command))
    ballast.unlink()
    assert digests_in_process(spark, shop.home, logs) == undisturbed.digests


@pytest.mark.usefixtures("all_faults")
def test_a_command_on_a_read_only_disk_says_so(
    spark: SparkSession, undisturbed: Undisturbed, logs: Path, disk_of: DiskOf
) -> None:
    disk = disk_of("300m")
    shop = Shop(disk.folder / "home", logs)
    shop.run("ingest")
    disk.remount("ro")
    for command in ("ingest", "build"):
        assert "Read-only file system" in message_of(shop.start(command))
    disk.remount("rw")
    assert digests_in_process(spark, shop.home, logs) == undisturbed.digests


def fill(folder: Path, leave: int) -> Path:
    """Write a file that leaves so many bytes of the disk free; return it."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        while (free := shutil.disk_usage(folder).free) > leave:
            file.write(bytes(min(1 << 20, free - leave)))
            file.flush()
    return ballast
