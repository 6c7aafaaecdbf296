"""Spark's Python workers begin with what they need, loaded once for all of them."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pyarrow as pa
import pyspark
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs.workers import NEEDED, without_archives

PACKAGE = Path(pyspark.__file__).parent


def test_workers_are_forked_with_what_they_need(spark: SparkSession) -> None:
    """Loaded before the fork, it isn't among what is searched for garbage; pyspark is the compiled one."""

    def lacks(_):
        missing = [name for name in NEEDED if name not in sys.modules]
        return f"{missing} {gc.get_freeze_count() > 100_000} {sys.modules['pyspark'].__file__}"

    told = F.udf(lacks, "string")
    (row,) = spark.range(1).select(told("id")).collect()
    assert row[0] == f"[] True {PACKAGE / '__init__.py'}"


def test_workers_take_memory_that_is_kept(spark: SparkSession) -> None:
    told = F.udf(lambda _: pa.default_memory_pool().backend_name, "string")
    (row,) = spark.range(1).select(told("id")).collect()
    assert row[0] == "system"


def test_archives_beside_the_package_itself_are_left_out() -> None:
    """Those of another PySpark, and all where there is no package but them, stay."""
    site, own = str(PACKAGE.parent), str(PACKAGE / "python" / "lib" / "pyspark.zip")
    other = "/opt/spark/python/lib/pyspark.zip"
    assert without_archives([own, other, "/code", site]) == [other, "/code", site]
    assert without_archives([own, "/code"]) == [own, "/code"]
