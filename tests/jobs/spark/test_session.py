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
from conf.errors import SettingError
from conf.settings import Settings
from conf.spark_properties import read_properties
from jobs.spark import session as spark_session
from jobs.spark.session import spark_options


def test_session_is_utc_strict_and_uses_this_interpreter(spark: SparkSession) -> None:
    """Times are UTC, bad casts raise, and workers find the pipeline's packages."""
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.sql.ansi.enabled") == "true"
    assert spark.sparkContext.pythonExec == sys.executable
    worker = F.udf(lambda _: sys.executable)
    assert spark.range(1).select(worker("id")).collect()[0][0] == sys.executable


def test_options_come_from_the_file_and_the_settings(tmp_path: Path) -> None:
    """Comments and blank lines are passed over; a cluster has a file of its own."""
    (tmp_path / "x.conf").write_text("# a comment\n\nspark.a   1\nspark.b   two words\nspark.c\n")
    assert read_properties(tmp_path / "x.conf") == {"spark.a": "1", "spark.b": "two words", "spark.c": ""}
    here = {"NIGHTCART_HOME": str(tmp_path), "NIGHTCART_SHUFFLE_PARTITIONS": "7"}
    local = spark_options(Settings.from_environment(here))
    assert (local["spark.sql.shuffle.partitions"], local["spark.driver.memory"]) == ("7", "3g")
    cluster = spark_options(Settings.from_environment(here | {"NIGHTCART_SPARK_MASTER": "spark://shop:7077"}))
    assert "spark.driver.host" not in cluster, "nodes could not reach the driver"
    assert (cluster["spark.driver.memory"], cluster["spark.executor.memory"]) == ("4g", "8g")
    assert cluster["spark.sql.session.timeZone"] == "UTC"


def test_a_deployments_own_options_count_over_the_projects_and_not_over_what_is_fixed(tmp_path: Path) -> None:
    """Memory is theirs; a time zone or a master of theirs would count silently, so it is refused by name."""
    own = tmp_path / "own.conf"
    here = {"NIGHTCART_HOME": str(tmp_path), "NIGHTCART_SPARK_OPTIONS": str(own)}
    own.write_text("spark.driver.memory 1g\nspark.cores.max 2\n")
    options = spark_options(Settings.from_environment(here))
    assert (options["spark.driver.memory"], options["spark.cores.max"]) == ("1g", "2")
    own.write_text("spark.master local[8]\nspark.sql.session.timeZone CET\nspark.cores.max 2\n")
    with pytest.raises(SettingError, match=r"sets spark\.master, spark\.sql\.session\.timeZone, which the project"):
        spark_options(Settings.from_environment(here))
    # Spark's own reader takes these too: what it would read otherwise isn't left out without a word.
    own.write_text("spark.authenticate=true\nspark.a: b c\nspark.b = -Dx=y\n")
    options = spark_options(Settings.from_environment(here))
    assert (options["spark.authenticate"], options["spark.a"], options["spark.b"]) == ("true", "b c", "-Dx=y")
    own.write_text("authenticate true\n")
    with pytest.raises(SettingError, match="'authenticate' is no option of Spark"):
        spark_options(Settings.from_environment(here))
    own.unlink()
    with pytest.raises(SettingError, match=r"own\.conf can't be read: No such file"):
        spark_options(Settings.from_environment(here))


def test_a_cluster_that_spark_submit_names_counts_over_the_setting(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The session would otherwise run on this machine, whatever the connection says."""
    settings = Settings.from_environment({"NIGHTCART_HOME": str(tmp_path), "NIGHTCART_SPARK_MASTER": "local[3]"})
    properties = spark.sparkContext._jvm.System
    before = properties.getProperty("spark.master")
    try:
        properties.setProperty("spark.master", "spark://shop:7077")
        assert spark_session._master(settings) == "local[3]", "nothing was submitted"
        monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
        assert spark_session._master(settings) == "spark://shop:7077"
        properties.setProperty("spark.master", "local[*]")
        assert spark_session._master(settings) == "local[3]"
    finally:
        properties.setProperty("spark.master", before) if before else properties.clearProperty("spark.master")


def test_java_options_survive_a_folder_with_a_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark would split them there and take the rest of the path for a class to run."""
    monkeypatch.setattr(java, "LOGGING", Path("/srv/night cart/conf/spark/log4j2.properties"))
    settings = Settings.from_environment({"NIGHTCART_PIPELINE_VENV": "/nowhere"})
    options = spark_options(settings)["spark.driver.extraJavaOptions"]
    assert options == "-Dlog4j2.configurationFile=file:///srv/night%20cart/conf/spark/log4j2.properties"


def test_what_spark_writes_on_this_machine_lies_in_the_home_and_is_private(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Shuffle files and temporary files of Java and of workers hold raw ids; so do those of a cluster's driver."""
    monkeypatch.setenv("TMPDIR", "/tmp")
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    here = {"NIGHTCART_HOME": str(tmp_path / 'sp "ace')}
    options = spark_session.private_folders(Settings.from_environment(here))
    folder = Path(options["spark.local.dir"])
    assert folder.parent == tmp_path / 'sp "ace' / "spark-local"
    assert os.environ["TMPDIR"] == str(folder / "tmp")
    assert '"-Djava.io.tmpdir=' in options["spark.driver.extraJavaOptions"]
    cluster = Settings.from_environment(here | {"NIGHTCART_SPARK_MASTER": "spark://shop:7077"})
    of_driver = spark_session.private_folders(cluster)
    assert Path(of_driver["spark.local.dir"]).parent == folder.parent
    assert (Path(of_driver["spark.local.dir"]) / "code.zip").is_file()
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
