"""Whether a cluster's workers stand where the driver stands: the same lake, and packages that write the same bytes.

The code itself is sent to them (`sent_code`). On one machine nothing is asked.
"""

from __future__ import annotations

import atexit
import json
import platform
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StructField, StructType

from jobs.errors import JobError

_OPTION = "spark.nightcart.ground"

# What workers compute and write with; the zones of business days are in the last.
PACKAGES = ("numpy", "pandas", "pyarrow", "pydantic", "pydantic-core", "tzdata")

_TASKS_A_CORE = 4
_DRIVER_AND_ONE = 2
_SECONDS_TO_WAIT = 300
_SECONDS_BETWEEN = 0.2
_ASKED = ("spark.executor.cores", "spark.executor.memory")
_SCHEMA = StructType([StructField("id", LongType())])


@dataclass(frozen=True)
class Ground:
    """What a worker has to find: a file that the driver put into the lake, and the driver's versions by package."""

    marker: str
    versions: tuple[tuple[str, str], ...]


def found_versions() -> tuple[tuple[str, str], ...]:
    """Return this process's versions of Python and of the packages, by name."""
    return (("python", platform.python_version()), *((name, _version(name)) for name in PACKAGES))


def lay_ground(spark: SparkSession, lake: Path) -> None:
    """Put the marker into the lake until this process ends, and let the workers that are there look for it.

    Raises:
        JobError: the cluster gives no executor, or a worker doesn't see the lake, or has other packages.
    """
    _wait_for_executors(spark)
    lake.mkdir(parents=True, exist_ok=True)
    marker = lake / f".spark-{socket.gethostname()}-{uuid.uuid4().hex}"
    marker.touch(mode=0o600)
    atexit.register(marker.unlink, missing_ok=True)
    spark.conf.set(_OPTION, json.dumps(asdict(Ground(str(marker), found_versions()))))
    ground = ground_of(spark)

    def look(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        refuse_strange(ground)
        yield from batches

    n_tasks = _TASKS_A_CORE * spark.sparkContext.defaultParallelism
    spark.range(0, n_tasks, 1, n_tasks).mapInArrow(look, _SCHEMA).collect()


def _wait_for_executors(spark: SparkSession) -> None:
    """Wait for the first executor; Spark itself would wait for ever and say nothing."""
    context = spark.sparkContext
    until = time.monotonic() + _SECONDS_TO_WAIT
    while context._jsc.sc().getExecutorMemoryStatus().size() < _DRIVER_AND_ONE:  # no public one
        if time.monotonic() > until:
            asked = ", ".join(f"{name} {context.getConf().get(name)}" for name in _ASKED)
            raise JobError(
                f"{context.master} gave no executor in {_SECONDS_TO_WAIT} s: either no worker has room for one "
                f"({asked}; ask for less in a file named by NIGHTCART_SPARK_OPTIONS), or others hold the cores, or "
                "executors end at once (a worker's own folder has their stderr)"
            )
        time.sleep(_SECONDS_BETWEEN)


def ground_of(spark: SparkSession) -> Ground | None:
    """Return what the session's workers have to find; None on one machine."""
    told = spark.conf.get(_OPTION, None)
    if told is None:
        return None
    content = json.loads(told)
    return Ground(content["marker"], tuple((name, found) for name, found in content["versions"]))


@cache
def refuse_strange(ground: Ground | None) -> None:
    """Raise unless this worker finds the ground; asked once by each worker, before its first work of a session.

    Raises:
        JobError: in one line, all that differs.
    """
    if ground is None:
        return
    problems = []
    if not Path(ground.marker).exists():
        problems.append(f"doesn't see the driver's lake {Path(ground.marker).parent}: mount it there, for this user")
    own = dict(found_versions())
    other = [
        f"{name} {own[name]}, the driver {expected}" for name, expected in ground.versions if own[name] != expected
    ]
    if other:
        problems.append(f"has other packages ({'; '.join(other)}): run `make setup` of the driver's release there")
    if problems:
        raise JobError(f"Spark's node {socket.gethostname()} {', and '.join(problems)}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
