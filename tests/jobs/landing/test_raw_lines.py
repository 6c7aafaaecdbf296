"""Delivered lines are read as they stand, each with its place, its keyed hash, and whether it reads."""

from __future__ import annotations

import gzip
import hmac
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from conf.pseudonyms import pseudonym
from conf.specs.source import Source, load_source
from conf.tables import AVAILABILITY, ITEMS
from jobs.events.line_pieces import FeedFiles
from jobs.events.side_tables import read_side_table
from jobs.landing.parsed_lines import line_describer
from jobs.landing.raw_lines import LineFile, is_readable, read_batches, read_lines, reading_of
from jobs.parsing.record_cutting import FIRST_MARK, LONGEST_LINE, UNDECODABLE
from jobs.parsing.text_files import OverlongLine, bounded_lines

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
    assert {key: (row.byte_offset, row.line, row.is_readable) for key, row in found.items()} == {
        ("x/a.csv", 2): (10, "ä,1", True),
        ("x/a.csv", 3): (16, f"\0{chr(FIRST_MARK + 0xFF)}{chr(FIRST_MARK + 0xFE)},2", False),
        ("x/a.csv", 4): (21, "last,3", True),
        ("x/b.csv.gz", 2): (6, "ä,1", True),
    }
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
    table = pa.table(
        {
            "event_time": pa.array([at], pa.timestamp("us", tz="UTC")),
            "price": [Decimal("12.50")],
            "rate": [float("nan")],
            "tags": [["a", None]],
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    source = load_source("canonical").model_copy(update={"format": "parquet"})
    (row,) = read_lines(spark, [LineFile(tmp_path / "x.parquet", "x.parquet")], reading_of(source, KEY)).collect()
    assert json.loads(row.line) == {
        "event_time": "2026-01-05T12:30:00.123456+00:00",
        "price": "12.50",
        "rate": None,
        "tags": ["a", None],
    }
    assert (row.line_number, row.is_readable) == (1, True)


def test_key_stands_in_no_plan(spark: SparkSession, tmp_path: Path) -> None:
    """Plans are logged and shown in web pages: the key must not be in them."""
    reading = reading_of(load_source("taobao"), KEY)
    (tmp_path / "x.csv").touch()
    files = [LineFile(tmp_path / "x.csv", "x.csv")]
    plan = read_lines(spark, files, reading)._jdf.queryExecution().toString()
    feed = FeedFiles("all", load_source("taobao"), [], files, reading, None, hides_names=True)
    assert KEY.decode() not in plan + repr(reading) + repr(feed)
    assert KEY.hex() not in plan


def _described(file: LineFile, source: Source) -> list[dict[str, Any]]:
    """The lines of a file as a worker describes them."""
    reading = reading_of(source, KEY)
    describe = line_describer(source, [], reading)
    return [row for lines in read_batches(file, reading) for row in describe(lines).to_pylist()]


HOSTILE_JSON = [
    '{"a":' + "[" * 100_000,
    '{"a":' + "[" * 5_000 + "}",
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    '{"item_id": ' + "[" * 100_000 + "]" * 100_000 + "}",
    '{"a": ' + "9" * 100_000 + "} ",
    '{"a": "\\ud800"}x',
    '{"a": NaN, "b": Infinity} -',
    "\x00" * 100,
    "{" * 100_000 + "}" * 100_000,
]


@pytest.mark.parametrize("line", HOSTILE_JSON, ids=range(len(HOSTILE_JSON)))
def test_no_json_line_raises(line: str) -> None:
    """Whatever a line holds, it gets an answer: thousands of open brackets end Python's reader in RecursionError."""
    assert is_readable(line, is_json=True) in (True, False)


@given(st.text(alphabet='{}[]":,\\\0 a1\ud800é', max_size=60), st.integers(1, 3000), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_text_gets_an_answer(text: str, times: int, is_json: bool) -> None:
    """No text raises, however often it is repeated."""
    assert is_readable(text * times, is_json=is_json) in (True, False)


def test_delimited_line_of_too_many_values_is_unreadable() -> None:
    """Spark's reader would end the job."""
    assert is_readable("," * 19_999, is_json=False)
    assert not is_readable("," * 20_000, is_json=False)
    assert is_readable("," * 20_000, is_json=False, delimiter="\t")


def test_line_too_long_to_hold_keeps_its_place_and_a_hash_of_all_of_it() -> None:
    """It is read in parts; the lines around it are as ever, and another end gives another hash."""

    def lines(end: bytes) -> list[bytes]:
        return list(bounded_lines(io.BytesIO(b"a\n" + b"x" * 25 + end + b"\n" + b"1234567\n" + b"z"), 8))

    first, overlong, full, last = lines(b"1")
    assert (first, full, last) == (b"a\n", b"1234567\n", b"z")
    assert isinstance(overlong, OverlongLine)
    assert overlong.n_bytes == 27
    other = lines(b"2")[1]
    assert isinstance(other, OverlongLine)
    assert other.digest != overlong.digest


def test_hostile_lines_are_rejected_and_the_rest_of_the_delivery_is_read(tmp_path: Path) -> None:
    """Neither Python's readers nor Spark's end the job; a line after them has its right offset."""
    good = '{"event_time": "2026-01-05T12:00:00Z", "event_type": "view", "user_id": "ann"}'
    hostile = [one.encode("utf-8", "surrogatepass") for one in HOSTILE_JSON] + [b"y" * (LONGEST_LINE + 5)]
    content = b"\n".join([*hostile, good.encode()])
    (tmp_path / "a.jsonl").write_bytes(content)
    source = load_source("canonical")
    rows = _described(LineFile(tmp_path / "a.jsonl", "a.jsonl", date(2026, 1, 5)), source)
    assert [row["line_number"] for row in rows] == list(range(1, len(hostile) + 2))
    assert (rows[-1]["user_id"], rows[-1]["byte_offset"]) == (pseudonym("ann", KEY), content.rindex(b"\n") + 1)
    assert all(row["reason"] for row in rows[:-1])
    assert rows[-1]["reason"] is None


def test_delimited_line_of_too_many_values_ends_no_job(tmp_path: Path) -> None:
    """The line is unreadable, the next one is read."""
    (tmp_path / "a.csv").write_bytes(b"," * 30_000 + b"\n" + b'"' * 50_001 + b"\n1,2,3,pv,1511544070\n")
    source = load_source("taobao")
    rows = _described(LineFile(tmp_path / "a.csv", "a.csv", date(2017, 11, 25)), source)
    assert [row["reason"] for row in rows][0::2] == ["unreadable", None]
    assert rows[-1]["user_id"] == pseudonym("1", KEY)


def test_parquet_row_that_python_cannot_hold_is_unreadable_alone(spark: SparkSession, tmp_path: Path) -> None:
    """A time beyond the calendar, text that isn't UTF-8: that row is no record, its neighbours are."""
    text = pa.array([b"a", b"\xff\xfe", b"c"]).cast(pa.binary())
    times = pa.array([0, 0, 2**62], pa.int64()).cast(pa.timestamp("us"))
    not_utf8 = pa.StringArray.from_buffers(3, *text.buffers()[1:])
    pq.write_table(pa.table({"user_id": not_utf8, "at": times}), tmp_path / "a.parquet")
    shop = load_source("canonical").model_copy(update={"format": "parquet"})
    rows = read_lines(spark, [LineFile(tmp_path / "a.parquet", "a.parquet")], reading_of(shop, KEY)).collect()
    assert [(row.line_number, row.is_readable) for row in sorted(rows, key=lambda row: row.line_number)] == [
        (1, True),
        (2, False),
        (3, False),
    ]
    assert len({row.line_hash for row in rows}) == 3


def test_hostile_lines_of_side_files_end_no_job(spark: SparkSession, tmp_path: Path) -> None:
    """Items and availability sets beside them are read; a time beyond the calendar is none."""
    at = '"valid_from": "2026-01-05T00:00:00Z"'
    late = '{"item_id": "late", "availability_id": "late", "actions": [], "valid_from": "9999-12-31T23:59:59-18:00"}'
    content = [
        *HOSTILE_JSON,
        late,
        '{"item_id": "i", ' + at + ', "price": "1e-2147483648", "volume": "1e400000000"}',
        '{"availability_id": "v", ' + at + ', "actions": ["i", null, {"x": [1]}]}',
        '{"item_id": "j", "availability_id": "w", ' + at + ', "price": "1", "actions": ["i"]}',
    ]
    (tmp_path / "side.jsonl").write_bytes("\n".join(content).encode("utf-8", "surrogatepass"))
    files, source = [LineFile(tmp_path / "side.jsonl", "side.jsonl", date(2026, 1, 5))], load_source("canonical")
    items, sets = (
        read_side_table(spark, table.name, files, [], source, KEY).rows.collect() for table in (ITEMS, AVAILABILITY)
    )
    assert [(row.item_id, row.price, row.volume) for row in items] == [("j", 1_000_000, None)]
    assert [row.availability_id for row in sets] == ["w"]
