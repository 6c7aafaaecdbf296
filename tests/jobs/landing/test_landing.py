"""Logs are landed: split by business date where they aren't daily, each line once, the same bytes only once."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import structlog
from pyspark.sql import SparkSession

from conf.paths import Lake
from conf.specs.delivery import Window
from conf.specs.source import Source, load_source
from jobs.commands.ingest import unended_files
from jobs.errors import DeliveryError
from jobs.landing.landing import Landed, land
from jobs.landing.raw_deliveries import RawDelivery, RawFile, merged, raw_folder, read_raw_deliveries
from jobs.publishing.publishing import Provenance

KEY = b"a key for tests only"
HORIZON = date(2015, 6, 3)
HEADER = "timestamp,visitorid,event,itemid,transactionid\n"
NOON = 1_433_246_400_000  # 2015-06-02 12:00 UTC
DAY = 86_400_000
LINES = [
    f"{NOON},1,view,10,",
    f"{NOON + DAY},1,addtocart,10,",
    f"{NOON + 13 * DAY // 24},2,view,11,",
    "soon,2,view,11,",
    f"{NOON + 400 * DAY},2,view,12,",
    "cut,o",
]


def _shop() -> Source:
    window = Window(first=date(2015, 6, 1), last=date(2015, 6, 5))
    return load_source("retailrocket").model_copy(update={"window": window})


def _write(folder: Path, lines: list[str], name: str = "events.csv") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(HEADER + "".join(f"{one}\n" for one in lines))
    return folder


def _land(spark: SparkSession, lake: Lake, logs: Path, horizon: date = HORIZON) -> list[date]:
    return _landed(spark, lake, logs, horizon).changed


def _landed(spark: SparkSession, lake: Lake, logs: Path, horizon: date = HORIZON) -> Landed:
    return land(spark, lake, _shop(), logs, key=KEY, provenance=Provenance("spec", "code", "key", horizon))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", "retailrocket")


def _lines_by_day(lake: Lake) -> dict[str, list[tuple[int, int, str]]]:
    found = {}
    for day, delivery in read_raw_deliveries(lake).items():
        for file in delivery.files:
            rows = pq.read_table(raw_folder(lake) / file.stored(_shop())).to_pylist()
            found[f"{day} {file.name}"] = [(row["line_number"], row["byte_offset"], row["line"]) for row in rows]
    return found


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz"])
def test_a_file_that_may_be_cut_off_is_said(spark: SparkSession, lake: Lake, tmp_path: Path, name: str) -> None:
    """Its last line has no end: whether its last value is whole, nothing tells. Each landing says so."""
    logs, whole = tmp_path / "logs", (HEADER + "\n".join(LINES)).encode()
    logs.mkdir()
    for content, n_unended in ((whole, 1), (whole, 1), (whole + b"\n", 0)):
        (logs / name).write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        assert _landed(spark, lake, logs).unended_files == [name] * n_unended
        assert unended_files(lake, date(2026, 12, 31)) == [name] * n_unended  # so that later nights know


def test_log_is_split_by_business_date(spark: SparkSession, lake: Lake, tmp_path: Path) -> None:
    """Every line keeps its number and offset; those without a date in the window go to the first delivery."""
    logs = _write(tmp_path / "logs", LINES)
    assert _land(spark, lake, logs) == [date(2015, 6, 2), date(2015, 6, 3)]
    offsets = {line: len(HEADER) + sum(len(one) + 1 for one in LINES[:n]) for n, line in enumerate(LINES)}
    expected = {"2015-06-02 events.csv": [0, 3, 4, 5], "2015-06-03 events.csv": [1, 2]}
    assert _lines_by_day(lake) == {
        day: [(n + 2, offsets[LINES[n]], LINES[n]) for n in numbers] for day, numbers in expected.items()
    }
    before = {path: path.stat().st_mtime_ns for path in lake.folder.rglob("*") if path.suffix != ""}
    assert _land(spark, lake, logs) == []
    assert {path: path.stat().st_mtime_ns for path in lake.folder.rglob("*") if path.suffix != ""} == before


def test_a_file_without_a_line_is_told(spark: SparkSession, lake: Lake, tmp_path: Path) -> None:
    """Beside others of its delivery it is no empty delivery, but perhaps half of one."""
    logs = _write(_write(tmp_path / "logs", LINES), [], "a-events.csv")
    with structlog.testing.capture_logs() as told:
        _land(spark, lake, logs)
    (warned,) = [one for one in told if one["event"] == "files_without_a_line"]
    assert (warned["n_files"], warned["files"]) == (1, "a-events.csv")


@pytest.mark.parametrize(("names", "is_told"), [(("a.csv", "a (1).csv"), True), (("a.csv", "b.csv"), False)])
def test_files_of_equal_content_are_told(
    spark: SparkSession, lake: Lake, tmp_path: Path, names: tuple[str, str], is_told: bool
) -> None:
    """Both are counted, as two tills may write the same; but most often one file was copied. Each landing says so."""
    first, second = names
    lines = LINES if is_told else LINES[:-1]
    logs = _write(_write(tmp_path / "logs", LINES, first), lines, second)
    for _ in range(2):
        with structlog.testing.capture_logs() as told:
            _land(spark, lake, logs)
        warned = [one["files"] for one in told if one["event"] == "files_of_equal_content"]
        assert warned == (["a (1).csv = a.csv"] if is_told else [])


def test_log_whose_other_day_changed_replaces_that_day_alone(spark: SparkSession, lake: Lake, tmp_path: Path) -> None:
    """A log that grew leaves the deliveries of its old days as they were."""
    _land(spark, lake, _write(tmp_path / "logs", LINES))
    before = read_raw_deliveries(lake)
    assert _land(spark, lake, _write(tmp_path / "logs", [*LINES, f"{NOON + DAY},9,view,10,"])) == [date(2015, 6, 3)]
    assert read_raw_deliveries(lake)[date(2015, 6, 2)] == before[date(2015, 6, 2)]


def test_log_without_any_date_is_refused(spark: SparkSession, lake: Lake, tmp_path: Path) -> None:
    """The message says which column was to hold what."""
    with pytest.raises(DeliveryError, match="no line has a date in 2015-06-01 to 2015-06-05; expected column"):
        _land(spark, lake, _write(tmp_path / "logs", LINES[3:]))
    assert read_raw_deliveries(lake) == {}


def test_log_without_the_date_asked_for_is_refused(spark: SparkSession, lake: Lake, tmp_path: Path) -> None:
    """Landing for a date that the log doesn't hold changes nothing."""
    with pytest.raises(DeliveryError, match="no delivery for 2015-06-05: there are 2 from 2015-06-02 to 2015-06-03"):
        _land(spark, lake, _write(tmp_path / "logs", LINES), date(2015, 6, 5))
    assert read_raw_deliveries(lake) == {}
    assert list(raw_folder(lake).glob("_staging/*")) == []


def test_second_log_joins_the_deliveries_of_the_first(spark: SparkSession, lake: Lake, tmp_path: Path) -> None:
    """Two logs of the same days, landed one after the other, are both there."""
    _land(spark, lake, _write(tmp_path / "logs", LINES[:2]))
    _land(spark, lake, _write(tmp_path / "more", [LINES[2]], "more.csv"))
    assert sorted(_lines_by_day(lake)) == ["2015-06-02 events.csv", "2015-06-03 events.csv", "2015-06-03 more.csv"]


def _raw_file(name: str, keyed_hash: str) -> RawFile:
    return RawFile(HORIZON, "events", name, keyed_hash, 1)


def test_merging_replaces_by_name() -> None:
    """New names join, also with bytes that are there already; a known name takes new bytes."""
    old = RawDelivery(HORIZON, (_raw_file("a", "1"), _raw_file("b", "2")))
    new = merged(old, [_raw_file("b", "3"), _raw_file("c", "1"), _raw_file("d", "4")], HORIZON)
    assert {file.name: file.keyed_hash for file in new.files} == {"a": "1", "b": "3", "c": "1", "d": "4"}
