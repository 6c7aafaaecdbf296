"""The Spark session of all jobs: settings from `conf/spark`, UTC, this interpreter for the workers, quiet logs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from conf.java_options import java_options, quoted
from conf.settings import PROJECT_ROOT, Settings
from jobs.errors import JobError
from jobs.spark.folders import link_without_comma, session_folder

SPARK_FOLDER = PROJECT_ROOT / "conf" / "spark"

# What the jobs' meaning rests on, whatever the deployment says.
FIXED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    # A date that only Spark 2 could read is a bad date, not an exception.
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    # Other engines no longer read Spark's own times of 96 bits.
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    # Pointers name files one by one: listing them is no reason to start a job.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "100000",
    # Hadoop's file systems set modes themselves, whatever the process's umask is.
    "spark.hadoop.fs.permissions.umask-mode": "077",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}


def start_spark(settings: Settings, app_name: str) -> SparkSession:
    """Return a running session for the settings; the running one is returned where there is one.

    Under `spark-submit` the driver's own JVM options (memory, logging) come from its command line.

    Raises:
        JobError: Spark can't start (no Java).
    """
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    builder = SparkSession.builder.appName(app_name)
    for name, value in (spark_options(settings) | private_folders(settings)).items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        # PySpark says no more than that its gateway went away; the reason is nearly always the same.
        raise JobError(f"Spark can't start: {error}; it needs Java 17 or later (try `java -version`)") from error
    spark.sparkContext.setLogLevel("ERROR" if settings.log_level == "debug" else "OFF")
    return spark


def spark_options(settings: Settings) -> dict[str, str]:
    """Return every option of the session, by name."""
    options = read_options(SPARK_FOLDER / "local.conf") if settings.spark_master.startswith("local") else {}
    return (
        options
        | FIXED
        | {
            "spark.master": settings.spark_master,
            "spark.sql.shuffle.partitions": str(settings.shuffle_partitions),
            # Workers unpickle functions of this package by name.
            "spark.executorEnv.PYTHONPATH": str(PROJECT_ROOT),
            "spark.driver.extraJavaOptions": java_options(settings.pipeline_venv),
            "spark.sql.warehouse.dir": str(settings.home / "spark-warehouse"),
        }
    )


def private_folders(settings: Settings) -> dict[str, str]:
    """Return options that keep what Spark writes on this machine in the home; cluster nodes have their own folders.

    Python's workers take their temporary folder from the environment. Java's is chosen when it starts, which under
    `spark-submit` is before this.
    """
    if not settings.spark_master.startswith("local") or SparkSession.getActiveSession() is not None:
        return {}
    folder = session_folder(settings.home / "spark-local")
    local = folder if "," not in str(folder) else link_without_comma(folder)  # before the temporary folder is another
    os.environ["TMPDIR"] = str(folder / "tmp")
    os.environ.pop("SPARK_LOCAL_DIRS", None)  # would count for more than the option
    temporary = quoted(f"-Djava.io.tmpdir={folder / 'tmp'}")
    return {
        "spark.local.dir": str(local),
        "spark.driver.extraJavaOptions": f"{java_options(settings.pipeline_venv)} {temporary}",
    }


def read_options(path: Path) -> dict[str, str]:
    """Return the options a Spark properties file holds, by name."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.split(None, 1) for line in lines if line and not line.startswith("#"))
    return {name: value.strip() for name, value in pairs}
