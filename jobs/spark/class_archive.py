"""Write Spark's classes into an archive that Java begins with: `python -m jobs.spark.class_archive`, by `make setup`.

Half of what a small job costs is Java loading and checking some fifteen thousand classes, each time the same ones. A
small job that does a bit of everything is run once, and what Java holds of them at its end is kept (class data
sharing, JEP 350).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from conf.java_options import CLASS_ARCHIVE, logging_option, quoted
from conf.spark_properties import properties_file, read_properties
from jobs.spark.session import FIXED

_SECONDS = 600


def main() -> None:
    """Write the archive of this interpreter's environment; where that fails, say so: Spark only starts slower."""
    archive = Path(sys.prefix) / CLASS_ARCHIVE
    with tempfile.TemporaryDirectory(prefix="nightcart-classes-") as name:
        draft = Path(name) / CLASS_ARCHIVE
        said = ""
        try:
            run = subprocess.run(
                [sys.executable, "-m", "jobs.spark.class_archive", str(draft)],
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                env={**os.environ, "TMPDIR": name, "SPARK_LOCAL_DIRS": name},
            )
            said = run.stderr
        except (OSError, subprocess.TimeoutExpired) as error:
            said = str(error)
        if draft.is_file() and draft.stat().st_size:
            keep(draft, archive)
        else:
            archive.write_bytes(b"")  # tried once: without an archive Java starts as ever
            why = (said.strip().splitlines() or ["Java wrote none"])[-1]
            print(f"Spark's classes can't be archived, so that its jobs start slower: {why}", file=sys.stderr)


def keep(draft: Path, archive: Path) -> None:
    """Put the draft in the archive's place, whole and on the disk: Java trusts the file that it maps."""
    beside = archive.with_name(f".{archive.name}.{os.getpid()}")
    with draft.open("rb") as source, beside.open("wb") as copy:
        while some := source.read(2**24):
            copy.write(some)
        copy.flush()
        os.fsync(copy.fileno())
    beside.replace(archive)


def run_and_archive(draft: Path) -> None:
    """Run the small job in a Java that writes its classes to the draft when it ends, and wait for that."""
    options = read_properties(properties_file("local")) | FIXED
    options["spark.driver.extraJavaOptions"] = f"{logging_option()} {quoted(f'-XX:ArchiveClassesAtExit={draft}')}"
    options |= {"spark.master": "local[1]", "spark.sql.shuffle.partitions": "1"}
    options["spark.executorEnv.PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    builder = SparkSession.builder.appName("class-archive")
    for name, value in options.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    java = spark.sparkContext._gateway.proc  # type: ignore[union-attr]  # nothing public says that Java has ended
    spark.sparkContext.setLogLevel("OFF")
    small_job(spark, draft.parent)
    spark.stop()
    java.stdin.close()
    java.wait()


def small_job(spark: SparkSession, folder: Path) -> None:
    """Do a bit of all that the jobs do: rows from Python, hashes, windows, joins, Parquet, Python's workers, Arrow."""
    rows = spark.createDataFrame(
        [(number, f"shopper {number % 7}", f"2026-01-0{1 + number % 2}", [number]) for number in range(100)],
        "number bigint, shopper string, day string, items array<bigint>",
    )
    by_shopper = Window.partitionBy("shopper").orderBy("number")
    numbered = rows.select(
        "*",
        F.col("day").cast("date").alias("date"),
        F.xxhash64("shopper", "number").alias("hash"),
        F.sha2("shopper", 256).alias("key"),
        F.row_number().over(by_shopper).alias("place"),
    )
    numbered.write.mode("overwrite").partitionBy("day").parquet(str(folder / "rows"))
    schema = numbered.schema
    read = spark.read.schema(schema).option("basePath", str(folder / "rows")).parquet(str(folder / "rows"))
    exploded = read.where("place > 1").select("shopper", "date", F.explode("items").alias("item"))
    counts = exploded.groupBy("shopper", "date").agg(F.count("*").alias("n"), F.sum("item").alias("total"))
    joined = counts.join(F.broadcast(rows.select("shopper").distinct()), "shopper", "left").union(counts)

    def same(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from batches

    parts = joined.repartition(1, "shopper").sortWithinPartitions("shopper", "date").mapInArrow(same, joined.schema)
    parts.toArrow()
    parts.collect()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_and_archive(Path(sys.argv[1]))
    else:
        main()
