"""One line says why something failed, and what to do where that is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import PublishError
from jobs.failure_reason import failure_reason
from jobs.publishing.publishing import explaining_failures


@pytest.mark.parametrize(
    "message",
    [
        "Job aborted: org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)",
        "Task 3 failed: EOFException occurred while reading the port number from pyspark.daemon's stdout.",
        "EOFException occurred while reading the port number from jobs.workers's stdout.",
    ],
)
def test_a_killed_worker_is_no_failure_to_write(tmp_path: Path, message: str) -> None:
    """Whatever it was doing: the table's folder has nothing to do with it, and a repeat may succeed."""
    assert failure_reason(OSError(message)).startswith("a Python worker was killed, mostly for want of memory")
    with pytest.raises(OSError, match=r"worker|port number"), explaining_failures("events", tmp_path):
        raise OSError(message)


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    """With what is wrong with it."""
    with (
        pytest.raises(
            PublishError, match=r"events: can't be written to .*: .*Permission denied; nothing was published"
        ),
        explaining_failures("events", tmp_path),
    ):
        raise PermissionError(13, "Permission denied")
