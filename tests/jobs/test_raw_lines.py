"""Delivered lines are read as they stand, each with its place, its keyed hash, and whether it reads."""

from __future__ import annotations

import gzip
import hmac
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from conf.source import load_source
from jobs.raw_lines import UNDECODABLE, LineFile, is_readable, read_lines, reading_of

KEY = b"a key for tests only"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"a": 1}', True),
        (' {"a": {"b": [1, {"c": 2}]}, "d": 3} ', True),
        ('{"a": "}{ is text"}', True),
        ('{"a": 1}{"a": 2}', False),
        ('{"a": 1} {"a": 2}', False),
        ('{"a": 1} trailing', False),
        ('{"a": 1', False),
        ('[{"a": 1}]', False),
        ("12", False),
        ("", False),
        ("   ", False),
        (UNDECODABLE + '{"a": 1}', False),
    ],
)
def test_json_line_is_readable_if_it_is_one_whole_object(line: str, expected: bool) -> None:
    """Two lines glued together by a lost line end are no line: the second would vanish."""
    assert is_readable(line, is_json=True) is expected


def test_lines_keep_number_and_offset_in_plain_and_packed_files(spark: SparkSession, tmp_path: Path) -> None:
    """Headers count as a line, line ends of either kind are cut, bytes that aren't UTF-8 are kept and marked."""
    plain, packed = tmp_path / "a.csv", tmp_path / "b.csv.gz"
    plain.write_bytes("\ufeffh1,h2\r\nä,1\r\n".encode() + b"\xff\xfe,2\nlast,3")
    packed.write_bytes(gzip.compress("h1,h2\nä,1\n".encode()))
    files = [LineFile(plain, "x/a.csv", date(2026, 1, 5)), LineFile(packed, "x/b.csv.gz", date(2026, 1, 6), 1)]
    rows = read_lines(spark, files, reading_of(load_source("online_retail"), KEY)).collect()
    found = {(row.file, row.line_number): row for row in rows}
    assert {key: (row.byte_offset, row.line.replace("\ufffd", "?"), row.is_readable) for key, row in found.items()} == {
        ("x/a.csv", 2): (10, "ä,1", True), ("x/a.csv", 3): (16, "\0??,2", False), ("x/a.csv", 4): (21, "last,3", True),
        ("x/b.csv.gz", 2): (6, "ä,1", True),
    }  # fmt: skip
    assert {(row.delivery_date, row.header_id) for row in rows} == {("2026-01-05", 0), ("2026-01-06", 1)}
    expected = hmac.digest(KEY, "ä,1".encode(), "sha256").hex()[:32]
    assert found["x/a.csv", 2].line_hash == found["x/b.csv.gz", 2].line_hash == expected


def test_hash_covers_what_the_path_says(spark: SparkSession, tmp_path: Path) -> None:
    """Equal lines of two policies' files are different lines, since the path names the policy."""
    log = tmp_path / "all.csv"
    log.write_text("h\nsame\n")
    files = [LineFile(log, f"{policy}/all.csv") for policy in ("random", "bts", "x/bts")]
    rows = read_lines(spark, files, reading_of(load_source("open_bandit"), KEY)).collect()
    hashes = {row.file: row.line_hash for row in rows}
    assert hashes["random/all.csv"] != hashes["bts/all.csv"] == hashes["x/bts/all.csv"]


def test_parquet_rows_become_json_lines(spark: SparkSession, tmp_path: Path) -> None:
    """Times, decimals and missing values keep their exact meaning."""
    at = datetime(2026, 1, 5, 12, 30, 0, 123456, tzinfo=UTC)
    table = pa.table({"event_time": pa.array([at], pa.timestamp("us", tz="UTC")), "price": [Decimal("12.50")],
                      "rate": [float("nan")], "tags": [["a", None]]})  # fmt: skip
    pq.write_table(table, tmp_path / "x.parquet")
    source = load_source("canonical").model_copy(update={"format": "parquet"})
    (row,) = read_lines(spark, [LineFile(tmp_path / "x.parquet", "x.parquet")], reading_of(source, KEY)).collect()
    assert json.loads(row.line) == {"event_time": "2026-01-05T12:30:00.123456+00:00", "price": "12.50", "rate": None,
                                    "tags": ["a", None]}  # fmt: skip
    assert (row.line_number, row.is_readable) == (1, True)


def test_key_stands_in_no_plan(spark: SparkSession, tmp_path: Path) -> None:
    """Plans are logged and shown in web pages: the key must not be in them."""
    reading = reading_of(load_source("taobao"), KEY)
    lines = read_lines(spark, [LineFile(tmp_path / "x.csv", "x.csv")], reading)
    plan = lines._jdf.queryExecution().toString()
    assert KEY.decode() not in plan + repr(reading)
    assert KEY.hex() not in plan
