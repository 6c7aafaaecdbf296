"""The Spark session of all jobs: settings from `conf/spark`, UTC, this interpreter for the workers, quiet logs."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from conf.errors import SettingError
from conf.java_options import java_options, quoted
from conf.settings import PROJECT_ROOT, Settings
from conf.spark_properties import given_properties, is_one_machine, properties_file, read_properties
from jobs.errors import JobError
from jobs.failure_reason import SPARK_FAILURES, failure_reason
from jobs.spark.folders import link_without_comma, session_folder
from jobs.spark.same_ground import lay_ground
from jobs.spark.sent_code import sent_code_options

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

_GROUND_FAILURES: tuple[type[Exception], ...] = (JobError, *SPARK_FAILURES)


def start_spark(settings: Settings, app_name: str) -> SparkSession:
    """Return a running session for the settings; the running one is returned where there is one.

    Under `spark-submit` the driver's own JVM options (memory, logging) come from its command line.

    Raises:
        JobError: Spark can't start (no Java, no cluster at the master's address), or a node of the cluster has other
            packages than the driver or no lake.
        SettingError: an option that the deployment gives is the project's to set.
    """
    settings = replace(settings, spark_master=_master(settings))
    is_first = SparkSession.getActiveSession() is None
    options = spark_options(settings) | private_folders(settings)
    os.environ["PYSPARK_PYTHON"] = options.get("spark.pyspark.python", sys.executable)
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    builder = SparkSession.builder.appName(app_name)
    for name, value in options.items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except Exception as error:
        raise JobError(_cannot_start(settings, error)) from error
    spark.sparkContext.setLogLevel("ERROR" if settings.log_level == "debug" else "OFF")
    if is_first and not is_one_machine(settings.spark_master):
        _lay_ground(spark, settings)
    return spark


def _master(settings: Settings) -> str:
    """Return the master: a cluster that `spark-submit` was told of counts over the setting."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return settings.spark_master
    SparkContext._ensure_initialized()
    submitted = SparkConf().get("spark.master", "local") or "local"
    return settings.spark_master if is_one_machine(submitted) else submitted


def _cannot_start(settings: Settings, error: Exception) -> str:
    if is_one_machine(settings.spark_master):
        # PySpark says no more than that its gateway went away; the reason is nearly always the same.
        return f"Spark can't start: {error}; it needs Java 17 or later (try `java -version`)"
    return (
        f"Spark can't start on {settings.spark_master}: {failure_reason(error)}; it needs Java 17 or later here "
        "(try `java -version`), and a master of this Spark's version that answers at this address"
    )


def _lay_ground(spark: SparkSession, settings: Settings) -> None:
    """Let the cluster's workers look for the driver's lake and packages; a session without them isn't left running."""
    try:
        lay_ground(spark, settings.lake)
    except _GROUND_FAILURES as error:
        reason = str(error) if isinstance(error, JobError) else failure_reason(error)
        spark.stop()
        raise JobError(f"the cluster {settings.spark_master} can't do the work: {reason}") from error


def spark_options(settings: Settings) -> dict[str, str]:
    """Return every option of the session, by name.

    Raises:
        SettingError: the deployment's file can't be read, or names options that are the project's to set.
    """
    fixed = FIXED | {
        "spark.master": settings.spark_master,
        "spark.sql.shuffle.partitions": str(settings.shuffle_partitions),
        # Workers unpickle functions of this package by name.
        "spark.executorEnv.PYTHONPATH": str(PROJECT_ROOT),
        "spark.driver.extraJavaOptions": java_options(settings.pipeline_venv),
        "spark.sql.warehouse.dir": str(settings.home / "spark-warehouse"),
    }
    given = given_properties(settings)
    if taken := sorted(fixed.keys() & given.keys()):
        raise SettingError(
            f"NIGHTCART_SPARK_OPTIONS: {settings.spark_options} sets {', '.join(taken)}, which the project sets "
            "itself; take it out (the master is NIGHTCART_SPARK_MASTER, partitions are NIGHTCART_SHUFFLE_PARTITIONS)"
        )
    return read_properties(properties_file(settings.spark_master)) | given | fixed


def private_folders(settings: Settings) -> dict[str, str]:
    """Return options that keep what Spark writes on this machine in the home; a cluster's nodes have their folders.

    Python's workers take their temporary folder from the environment. Java's is chosen when it starts, which under
    `spark-submit` is before this. On a cluster, the code that workers run goes from this folder to them.
    """
    if SparkSession.getActiveSession() is not None:
        return {}
    folder = session_folder(settings.home / "spark-local")
    local = folder if "," not in str(folder) else link_without_comma(folder)  # before the temporary folder is another
    os.environ["TMPDIR"] = str(folder / "tmp")
    os.environ.pop("SPARK_LOCAL_DIRS", None)  # would count for more than the option
    temporary = quoted(f"-Djava.io.tmpdir={folder / 'tmp'}")
    options = {
        "spark.local.dir": str(local),
        "spark.driver.extraJavaOptions": f"{java_options(settings.pipeline_venv)} {temporary}",
    }
    if not is_one_machine(settings.spark_master):
        options |= sent_code_options(folder, also=given_properties(settings).get("spark.archives", ""))
    return options
