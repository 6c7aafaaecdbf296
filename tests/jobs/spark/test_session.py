"""The session means the same on every machine."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from conf import java_options as java
from conf.settings import Settings
from jobs.spark import session as spark_session
from jobs.spark.session import read_options, spark_options


def test_session_is_utc_strict_and_uses_this_interpreter(spark: SparkSession) -> None:
    """Times are UTC, bad casts raise, and workers find the pipeline's packages."""
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.sql.ansi.enabled") == "true"
    assert spark.sparkContext.pythonExec == sys.executable
    worker = F.udf(lambda _: sys.executable)
    assert spark.range(1).select(worker("id")).collect()[0][0] == sys.executable


def test_options_come_from_the_file_and_the_settings(tmp_path: Path) -> None:
    """Comments and blank lines are passed over; on a cluster, the local file's options don't apply."""
    (tmp_path / "x.conf").write_text("# a comment\n\nspark.a   1\nspark.b   two words\n")
    assert read_options(tmp_path / "x.conf") == {"spark.a": "1", "spark.b": "two words"}
    here = {"NIGHTCART_HOME": str(tmp_path), "NIGHTCART_SHUFFLE_PARTITIONS": "7"}
    local = spark_options(Settings.from_environment(here))
    assert (local["spark.sql.shuffle.partitions"], local["spark.driver.memory"]) == ("7", "3g")
    cluster = spark_options(Settings.from_environment(here | {"NIGHTCART_SPARK_MASTER": "spark://shop:7077"}))
    assert "spark.driver.memory" not in cluster
    assert cluster["spark.sql.session.timeZone"] == "UTC"


def test_java_options_survive_a_folder_with_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark would split them there and take the rest of the path for a class to run."""
    monkeypatch.setattr(java, "LOGGING", Path("/srv/night cart/conf/spark/log4j2.properties"))
    settings = Settings.from_environment({"NIGHTCART_PIPELINE_VENV": "/nowhere"})
    options = spark_options(settings)["spark.driver.extraJavaOptions"]
    assert options == "-Dlog4j2.configurationFile=file:///srv/night%20cart/conf/spark/log4j2.properties"


def test_what_spark_writes_on_this_machine_lies_in_the_home_and_is_private(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Shuffle files and temporary files of Java and of workers hold raw ids; a cluster's nodes have their own."""
    monkeypatch.setenv("TMPDIR", "/tmp")
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    here = {"NIGHTCART_HOME": str(tmp_path / 'sp "ace')}
    options = spark_session.private_folders(Settings.from_environment(here))
    folder = Path(options["spark.local.dir"])
    assert folder.parent == tmp_path / 'sp "ace' / "spark-local"
    assert os.environ["TMPDIR"] == str(folder / "tmp")
    assert '"-Djava.io.tmpdir=' in options["spark.driver.extraJavaOptions"]
    cluster = Settings.from_environment(here | {"NIGHTCART_SPARK_MASTER": "spark://shop:7077"})
    assert spark_session.private_folders(cluster) == {}
    assert spark_options(cluster)["spark.hadoop.fs.permissions.umask-mode"] == "077"


def test_spark_writes_into_a_home_with_a_comma(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Spark would take it for two folders, neither of them in the home; nobody sweeps those."""
    monkeypatch.setenv("TMPDIR", "/tmp")
    monkeypatch.setattr(tempfile, "tempdir", None)  # as in a process that hasn't asked for it yet
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    home = tmp_path / "a,b"
    settings = Settings.from_environment({"NIGHTCART_HOME": str(home)})
    link = Path(spark_session.private_folders(settings)["spark.local.dir"])
    assert "," not in str(link)
    assert link.resolve().parent == home / "spark-local"
    assert link.parent.stat().st_mode & 0o777 == 0o700
