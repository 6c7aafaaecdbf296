"""Why something failed, in one line: the cause at the bottom of what Spark, Java and Python report."""

from __future__ import annotations

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.errors.exceptions.captured import PythonException

# What Spark raises: its own errors, and Java's where PySpark knows no name for them.
SPARK_FAILURES: tuple[type[Exception], ...] = (PySparkException, Py4JError)

# What Spark says where a Python worker, or the process that forks them, is gone.
_LOST_WORKER = (
    "Python worker exited unexpectedly",
    "Python worker failed to connect back",
    "reading the port number from",
    "Failed to start Python worker",
)
_FULL_DISK = ("No space left on device", "Disk quota exceeded")


def is_lost_worker(error: BaseException) -> bool:
    """Return whether a Python worker of Spark was killed, or died of what it couldn't say."""
    return any(words in str(error) for words in _LOST_WORKER)


def failure_reason(error: BaseException) -> str:
    """Return the innermost cause in one line; for a full disk, what to do."""
    text = str(error)
    if any(words in text for words in _FULL_DISK):
        return "the disk is full; free some space and run again"
    if is_lost_worker(error):
        return (
            "a Python worker was killed, mostly for want of memory; run again, and if it comes again raise "
            "NIGHTCART_SHUFFLE_PARTITIONS, into how many parts shoppers are split"
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if isinstance(error, Py4JJavaError):
        causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
        return causes[-1] if causes else lines[1 if len(lines) > 1 else 0].removeprefix(": ")
    # A Python traceback ends with what happened; other messages begin with it.
    return lines[-1] if isinstance(error, PythonException | OSError) else lines[0]
