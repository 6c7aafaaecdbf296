"""Java begins with the classes that `make setup` archived, where it did."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from conf.java_options import CLASS_ARCHIVE, archive_options
from jobs.spark.class_archive import keep, main, small_job

HERE = Path(sys.prefix) / CLASS_ARCHIVE


@pytest.mark.skipif(not archive_options(HERE), reason="`make setup` made no archive of Spark's classes")
def test_a_session_begins_with_the_archive(spark: SparkSession) -> None:
    """Java maps it: the file stands among what its process has open, which it does only with one that fits."""
    java = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
    assert str(HERE) in Path(f"/proc/{java}/maps").read_text()


def test_the_small_job_runs(spark: SparkSession, tmp_path: Path) -> None:
    """What it does anew needs no more than the jobs' own options."""
    small_job(spark, tmp_path)
    assert list((tmp_path / "rows").glob("day=*/*.parquet"))


def test_an_archive_takes_its_place_whole(tmp_path: Path) -> None:
    draft, archive = tmp_path / "draft", tmp_path / CLASS_ARCHIVE
    draft.write_bytes(b"new" * 10_000_000)
    archive.write_bytes(b"old")
    keep(draft, archive)
    assert archive.read_bytes() == draft.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["draft", CLASS_ARCHIVE]


def test_where_java_writes_none_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Spark works without; the empty file keeps the set-up from trying each time."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    main()
    assert (tmp_path / CLASS_ARCHIVE).read_bytes() == b""
    assert "its jobs start slower: Java wrote none" in capsys.readouterr().err
