"""Published versions: whole or not at all, checked as written, and named for what they say."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from conf.errors import StaleInputs
from conf.paths import Lake
from conf.publication import Manifest, read_pointers
from conf.tables import SESSIONS
from jobs.errors import CheckError, PublishError
from jobs.publishing.publishing import PartitionFacts, Provenance, Target, publish, staged
from jobs.publishing.row_counts import n_rows
from jobs.publishing.table_schema import table_schema
from tests.jobs.published_rows import read_sessions

DAYS = ["2026-01-05", "2026-01-06", "2026-01-07"]
PROVENANCE = Provenance("spec", "code", "key", date(2026, 1, 7))
Publish = Callable[..., dict[str, Manifest]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", "shop")


def _target(lake: Lake) -> Target:
    return Target(SESSIONS, lake.table("sessions"), "date", sort_columns=("user_id",))


def _frame(spark: SparkSession, ids: Sequence[str], day: str = DAYS[0], **changes: Any) -> DataFrame:
    noon = datetime(2026, 1, 5, 12)
    row = {
        "session_id": "",
        "user_id": "ann",
        "start_time": noon,
        "end_time": noon,
        "n_events": 1,
        "n_decisions": 1,
        "is_cut": False,
        "is_closed": True,
    } | changes
    rows = [(*[(row | {"session_id": one})[name] for name in table_schema(SESSIONS).names], day) for one in ids]
    return spark.createDataFrame(rows, table_schema(SESSIONS).add("date", "string"))


def _publish(
    lake: Lake,
    frame: DataFrame,
    days: Sequence[str] = DAYS[:1],
    *,
    inputs: dict[str, str] | None = None,
    keep_newer: bool = False,
) -> dict[str, Manifest]:
    with staged(frame, _target(lake), partitions=days, counted={"n": n_rows()}) as version:
        facts = {day: PartitionFacts(inputs or {"a": "1"}, version.partitions[day].counts) for day in days}
        return publish(lake.lock, [(version, facts)], PROVENANCE, keep_newer=keep_newer)[0]


def _ids(spark: SparkSession, lake: Lake) -> list[str]:
    rows = read_sessions(spark, lake, first_date=date(2026, 1, 1), last_date=date(2026, 1, 31))
    return sorted(row.session_id for row in rows.collect())


def _state(lake: Lake) -> dict[str, bytes]:
    """Every pointer, and every file that is not one, by path; nothing of staging."""
    return {
        str(path.relative_to(lake.folder)): path.read_bytes()
        for path in lake.folder.rglob("*")
        if path.is_file() and path != lake.lock
    }


def test_published_rows_are_read_through_pointers(spark: SparkSession, lake: Lake) -> None:
    """Several partitions are published at once; one that was asked for and has no rows is published empty."""
    frame = _frame(spark, ["a", "b"]).unionByName(_frame(spark, ["c"], DAYS[2]))
    manifests = _publish(lake, frame, DAYS)
    assert _ids(spark, lake) == ["a", "b", "c"]
    assert {day: (one.n_rows, one.counters) for day, one in manifests.items()} == {
        DAYS[0]: (2, {"n": 2}),
        DAYS[1]: (0, {"n": 0}),
        DAYS[2]: (1, {"n": 1}),
    }
    assert list(lake.staging(lake.table("sessions")).iterdir()) == []


def test_publishing_an_empty_result_empties_the_partition(spark: SparkSession, lake: Lake) -> None:
    """A partition that had rows and has none any more does not keep the old ones."""
    _publish(lake, _frame(spark, ["a"]))
    _publish(lake, _frame(spark, []), inputs={"a": "2"})
    assert _ids(spark, lake) == []


def test_hash_and_place_do_not_depend_on_order_or_partitions(spark: SparkSession, lake: Lake) -> None:
    """The same rows in another order, from seven partitions, are the version that is already there."""
    _publish(lake, _frame(spark, ["a", "b", "c"]))
    before = _state(lake)
    _publish(lake, _frame(spark, ["c", "a", "b"]).repartition(7))
    assert _state(lake) == before


def test_changed_inputs_of_equal_rows_swap_the_pointer_and_keep_the_files(spark: SparkSession, lake: Lake) -> None:
    """The version is named for its rows; the pointer says what they were made from."""
    _publish(lake, _frame(spark, ["a"]))
    files = {path for path in _state(lake) if path.endswith(".parquet")}
    manifests = _publish(lake, _frame(spark, ["a"]), inputs={"a": "2"})
    assert manifests[DAYS[0]].inputs == {"a": "2"}
    assert {path for path in _state(lake) if path.endswith(".parquet")} == files


def test_files_are_what_other_engines_read(spark: SparkSession, lake: Lake) -> None:
    """Times are microseconds in UTC; every folder called `name=value` is a column, and the log names the same rows."""
    _publish(lake, _frame(spark, ["a", "b"]))
    (file,) = read_pointers(lake.table("sessions"))[f"date={DAYS[0]}"].files
    kinds = pq.read_schema(lake.table("sessions") / file)
    assert str(kinds.field("start_time").type) == "timestamp[us, tz=UTC]"
    assert [part.split("=")[0] for part in file.split("/") if "=" in part] == ["date"]
    assert DeltaTable(str(lake.delta(lake.table("sessions")))).to_pyarrow_table().num_rows == 2


def test_rows_whose_file_was_damaged_are_published_anew(spark: SparkSession, lake: Lake) -> None:
    """The same rows again: what lies there is not taken for them, and stays for who has pinned it."""
    _publish(lake, _frame(spark, ["a"]))
    (old,) = read_pointers(lake.table("sessions"))[f"date={DAYS[0]}"].files
    path = lake.table("sessions") / old
    path.write_bytes(path.read_bytes()[:-9] + b"damaged!!")
    _publish(lake, _frame(spark, ["a"]))
    (new,) = read_pointers(lake.table("sessions"))[f"date={DAYS[0]}"].files
    assert new != old
    assert _ids(spark, lake) == ["a"]


def test_old_versions_stay(spark: SparkSession, lake: Lake) -> None:
    """A reader that holds an old pointer can go on reading."""
    _publish(lake, _frame(spark, ["a"]))
    (old,) = read_pointers(lake.table("sessions"))[f"date={DAYS[0]}"].files
    _publish(lake, _frame(spark, ["b"]), inputs={"a": "2"})
    assert (lake.table("sessions") / old).is_file()
    assert _ids(spark, lake) == ["b"]


def test_columns_must_fit_before_anything_is_cast(spark: SparkSession, lake: Lake) -> None:
    """Missing, unexpected and mistyped columns are all named; none is filled with nulls."""
    unfit = _frame(spark, ["a"]).drop("user_id").withColumn("extra", F.lit(1)).withColumn("n_events", F.lit(1))
    with pytest.raises(CheckError) as raised:
        _publish(lake, unfit)
    for part in ("user_id: missing", "extra: unexpected", "n_events: expected bigint, got int"):
        assert part in str(raised.value)


def test_all_violations_are_reported_and_nothing_is_published(spark: SparkSession, lake: Lake) -> None:
    """Nulls, repeated keys and partitions that weren't asked for are refused together."""
    _publish(lake, _frame(spark, ["a"]))
    before = _state(lake)
    bad = _frame(spark, ["b", "b"], user_id=None).unionByName(_frame(spark, ["c"], DAYS[1]))
    with pytest.raises(CheckError) as raised:
        _publish(lake, bad, inputs={"a": "2"})
    for part in ("2 nulls in user_id", "1 values of the key (session_id)", f"date={DAYS[1]}: 1 rows of a partition"):
        assert part in str(raised.value)
    assert _state(lake) == before


def test_publisher_with_strictly_fewer_inputs_is_refused(spark: SparkSession, lake: Lake) -> None:
    """An earlier horizon can't overwrite what a later one published."""
    _publish(lake, _frame(spark, ["a"]), inputs={"a": "1", "b": "1"})
    before = _state(lake)
    with pytest.raises(StaleInputs, match="rebuild with a later horizon"):
        _publish(lake, _frame(spark, ["b"]), inputs={"a": "1"})
    kept = _publish(lake, _frame(spark, ["b"]), inputs={"a": "1"}, keep_newer=True)
    assert kept[DAYS[0]].inputs == {"a": "1", "b": "1"}
    assert _ids(spark, lake) == ["a"]
    assert {path: content for path, content in _state(lake).items() if path in before} == before


def test_full_disk_while_pointers_are_written_leaves_every_pointer_as_it_was(spark: SparkSession, lake: Lake) -> None:
    """The second of two pointers can't be written: the first is put back, and the message says why."""
    both = _frame(spark, ["a"]).unionByName(_frame(spark, ["b"], DAYS[1]))
    _publish(lake, both, DAYS[:2])
    pointers = read_pointers(lake.table("sessions"))
    draft = lake.pointer(lake.table("sessions"), f"date={DAYS[1]}").with_name(f".date={DAYS[1]}.json.{os.getpid()}")
    draft.symlink_to("/dev/full")
    changed = _frame(spark, ["c"]).unionByName(_frame(spark, ["d"], DAYS[1]))
    with pytest.raises(PublishError, match="the disk is full; free some space and run again; nothing was published"):
        _publish(lake, changed, DAYS[:2], inputs={"a": "2"})
    assert read_pointers(lake.table("sessions")) == pointers
    assert _ids(spark, lake) == ["a", "b"]
    assert not [path for path in (lake.table("sessions") / "_pointers").iterdir() if path.name.startswith(".")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    # Lazily: Spark may hold a file open for a while after a write that failed.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_while_rows_are_written_is_told_and_changes_nothing(spark: SparkSession, small_disk: Path) -> None:
    """Spark's own report is a hundred lines of Java; the message is one, and the old rows stay current."""
    lake = Lake(small_disk, "shop")
    _publish(lake, _frame(spark, ["a"]))
    before = _state(lake)
    many = spark.range(20_000).select(F.sha2(F.col("id").cast("string"), 256).alias("session_id"))
    too_much = many.crossJoin(_frame(spark, ["x"]).drop("session_id")).withColumn("user_id", F.col("session_id"))
    with pytest.raises(PublishError, match=r"can't be written to .*: the disk is full; free some space") as raised:
        _publish(lake, too_much, inputs={"a": "2"})
    assert "\n" not in str(raised.value)
    assert _state(lake) == before


def test_rows_that_fail_to_compute_give_one_line_and_leave_no_staging(spark: SparkSession, lake: Lake) -> None:
    """A failed task is told as one message, without a Java stack trace."""
    failing = _frame(spark, ["a"]).withColumn("user_id", F.raise_error(F.lit("broken row")).cast("string"))
    with pytest.raises(PublishError) as raised:
        _publish(lake, failing)
    assert "broken row" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(lake.staging(lake.table("sessions")).iterdir()) == []
