"""Delivered files are found, read to their end, and refused with one clear message each."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conf.specs.delivery import CsvFormat
from conf.specs.file_patterns import matches
from conf.specs.source import Source, load_source
from jobs.errors import DeliveryError
from jobs.landing.delivered_files import DeliveredFile, find_files, measure, refuse_empty, unread_files

KEY = b"a key for tests only"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def _file(path: Path, content: bytes, name: str = "2026-01-05/events.csv") -> DeliveredFile:
    path.write_bytes(content)
    return DeliveredFile(path, name, "events", date(2026, 1, 5))


def _source(name: str, **changes: Any) -> Source:
    return load_source(name).model_copy(update=changes)


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("events.csv", "**/*.csv", True),
        ("a/b/events.csv", "**/*.csv", True),
        ("a/events.csv.gz", "**/*.csv", False),
        ("2026-01-05/events-1.jsonl", "**/events*.jsonl", True),
        ("2026-01-05/items.jsonl", "**/events*.jsonl", False),
        ("a/b.csv", "*.csv", False),
    ],
)
def test_pattern_matches_as_in_a_shell(name: str, pattern: str, expected: bool) -> None:
    """`**/` is any number of folders, or none; `*` stays within a name."""
    assert matches(name, pattern) is expected


def test_files_of_a_folder_are_sorted_into_kinds_and_dates(tmp_path: Path) -> None:
    """Events, items and availability sets of a canonical delivery, each with the date in its path."""
    for name in ("events.jsonl", "items.jsonl", "availability.jsonl", "README.md"):
        (tmp_path / "2026-01-05").mkdir(exist_ok=True)
        (tmp_path / "2026-01-05" / name).write_text("{}\n")
    found = find_files(load_source("canonical"), tmp_path)
    assert sorted((file.name, file.kind, file.delivery_date) for file in found) == [
        ("2026-01-05/availability.jsonl", "availability", date(2026, 1, 5)),
        ("2026-01-05/events.jsonl", "events", date(2026, 1, 5)),
        ("2026-01-05/items.jsonl", "items", date(2026, 1, 5)),
    ]


def test_file_named_alone_is_known_by_its_folder_too(tmp_path: Path) -> None:
    """A folder often says the date or the policy, so it is part of the name."""
    (tmp_path / "random").mkdir()
    log = tmp_path / "random" / "all.csv"
    log.write_text("x\n")
    assert [file.name for file in find_files(load_source("open_bandit"), log)] == ["random/all.csv"]


def test_missing_logs_are_named(tmp_path: Path) -> None:
    """A path that isn't there is an error that says so."""
    with pytest.raises(DeliveryError, match="no such file or folder"):
        find_files(load_source("taobao"), tmp_path / "nowhere")


def test_folder_without_a_matching_file_says_what_is_expected(tmp_path: Path) -> None:
    """The message names the source's patterns."""
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(DeliveryError, match=r"expected \*\*/\*\.csv"):
        find_files(load_source("taobao"), tmp_path)


def test_daily_file_without_a_date_in_its_path_is_refused(tmp_path: Path) -> None:
    """Without a date nobody knows which delivery it is; 2026-13-45 isn't one."""
    (tmp_path / "2026-13-45.csv").write_text(HEADER)
    with pytest.raises(DeliveryError, match="without a delivery date in their path"):
        find_files(load_source("online_retail"), tmp_path)


def test_a_table_without_a_day_beside_dated_logs_says_how_it_gets_one(tmp_path: Path) -> None:
    """The day before the first delivery, by its spec or by its folder: either is then taken."""
    shop = load_source("canonical")
    for day in ("2026-01-05", "2026-01-06"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "events.jsonl").write_text("{}\n")
    (tmp_path / "items.jsonl").write_text("{}\n")
    with pytest.raises(DeliveryError) as raised:
        find_files(shop, tmp_path)
    message = str(raised.value)
    assert "items.jsonl: no day in the path, so nothing says from when items are known" in message
    assert "`items: {delivered: 2026-01-04}` in conf/sources/canonical.yaml" in message
    assert "as 2026-01-04/items.jsonl" in message
    assert shop.items is not None
    stated = shop.model_copy(update={"items": shop.items.model_copy(update={"delivered": date(2026, 1, 4)})})
    assert ("items", date(2026, 1, 4)) in {(one.kind, one.delivery_date) for one in find_files(stated, tmp_path)}
    (tmp_path / "2026-01-04").mkdir()
    (tmp_path / "items.jsonl").rename(tmp_path / "2026-01-04" / "items.jsonl")
    assert ("items", date(2026, 1, 4)) in {(one.kind, one.delivery_date) for one in find_files(shop, tmp_path)}


def test_whole_gzip_file_is_counted_without_its_header(tmp_path: Path) -> None:
    """The header is no record; a last line without an end is one."""
    content = gzip.compress((HEADER + "1,a,b,1,2026-01-05 10:00:00,1,7,UK\n" * 2 + "1,a").encode())
    measured = measure(_file(tmp_path / "x.csv.gz", content), load_source("online_retail"), KEY)
    assert (measured.n_lines, measured.header) == (3, tuple(HEADER.strip().split(",")))


def test_truncated_gzip_is_refused(tmp_path: Path) -> None:
    """A cut-off upload is told as such, before anything is taken in."""
    whole = gzip.compress((HEADER + "1,a,b,1,2026-01-05 10:00:00,1,7,UK\n" * 500).encode())
    with pytest.raises(DeliveryError, match=r"not a whole gzip file.*deliver it again"):
        measure(_file(tmp_path / "x.csv.gz", whole[:-20]), load_source("online_retail"), KEY)


def test_something_else_named_gzip_is_refused(tmp_path: Path) -> None:
    """A plain file with a .gz name doesn't unpack."""
    with pytest.raises(DeliveryError, match="not a whole gzip file"):
        measure(_file(tmp_path / "x.csv.gz", HEADER.encode()), load_source("online_retail"), KEY)


def test_header_that_does_not_fit_names_expected_found_and_a_suggestion(tmp_path: Path) -> None:
    """A renamed column is told with the name that looks like it."""
    content = HEADER.replace("CustomerID", "CustomerId").encode()
    with pytest.raises(DeliveryError, match=r"'CustomerID' is missing; did you mean 'CustomerId'.*found: InvoiceNo"):
        measure(_file(tmp_path / "x.csv", content), load_source("online_retail"), KEY)


def test_repeated_column_is_refused(tmp_path: Path) -> None:
    """Which of two columns of one name is meant can't be known."""
    content = HEADER.replace("Country", "Quantity").encode()
    with pytest.raises(DeliveryError, match="'Quantity' stands 2 times"):
        measure(_file(tmp_path / "x.csv", content), load_source("online_retail"), KEY)


def test_headless_file_of_another_width_is_refused(tmp_path: Path) -> None:
    """A log with no header is known by its number of columns; one odd line among good ones is only dirt."""
    taobao = load_source("taobao")
    with pytest.raises(DeliveryError, match=r"expected 5 columns .*, found 3 in the first line"):
        measure(_file(tmp_path / "x.csv", b"1,2,3\n" * 3), taobao, KEY)
    assert measure(_file(tmp_path / "y.csv", b"1,2,3\n1,2,3,pv,5\n"), taobao, KEY).n_lines == 2


def test_corrupt_parquet_is_refused(tmp_path: Path) -> None:
    """Damage in the middle of the file shows only when all of it is read."""
    source = _source("canonical", format="parquet", csv=None)
    columns = {name: ["x" * 50 + str(n) for n in range(2000)] for name in _canonical_columns()}
    pq.write_table(pa.table(columns), tmp_path / "x.parquet", compression="none", use_dictionary=False)
    content = bytearray((tmp_path / "x.parquet").read_bytes())
    assert measure(_file(tmp_path / "good.parquet", bytes(content)), source, KEY).n_lines == 2000
    content[4:400] = b"\xff" * 396
    with pytest.raises(DeliveryError, match=r"can't be read.*deliver it again"):
        measure(_file(tmp_path / "bad.parquet", bytes(content)), source, KEY)


def test_parquet_without_a_mapped_column_is_refused(tmp_path: Path) -> None:
    """Parquet has a header too."""
    pq.write_table(pa.table({"event_tim": ["x"]}), tmp_path / "x.parquet")
    file = DeliveredFile(tmp_path / "x.parquet", "2026-01-05/events.parquet", "events", date(2026, 1, 5))
    with pytest.raises(DeliveryError, match="'event_time' is missing; did you mean 'event_tim'"):
        measure(file, _source("canonical", format="parquet"), KEY)


def test_empty_delivery_is_refused(tmp_path: Path) -> None:
    """A delivery whose only file holds nothing but its header is no delivery."""
    empty = measure(_file(tmp_path / "x.csv", HEADER.encode()), load_source("online_retail"), KEY)
    with pytest.raises(DeliveryError, match=r"empty delivery: no line of data in 2026-01-05/events\.csv"):
        refuse_empty([empty])


def test_empty_file_beside_a_full_one_is_no_empty_delivery(tmp_path: Path) -> None:
    """One of several files of a delivery may be empty."""
    source = load_source("taobao")
    full = measure(_file(tmp_path / "x.csv", b"1,2,3,pv,5\n"), source, KEY)
    refuse_empty([full, measure(_file(tmp_path / "y.csv", b""), source, KEY)])


def test_file_without_its_header_is_refused(tmp_path: Path) -> None:
    """An upload that broke off before its first byte."""
    with pytest.raises(DeliveryError, match="holds nothing, not even the line of column names"):
        measure(_file(tmp_path / "y.csv", b""), load_source("online_retail"), KEY)


def test_hash_depends_on_bytes_and_key(tmp_path: Path) -> None:
    """Without the key, nobody can tell from the hash what a file holds."""
    source = load_source("taobao").model_copy(update={"csv": CsvFormat(has_header=False, columns=("a", "b"))})
    one, other = (_file(tmp_path / name, content) for name, content in (("x", b"1,2\n"), ("y", b"1,3\n")))
    hashes = {measure(file, source, key).keyed_hash for file in (one, other) for key in (KEY, b"another key")}
    assert len(hashes) == 4


def _canonical_columns() -> list[str]:
    events = load_source("canonical").events
    return [
        "event_time",
        "event_type",
        *[
            name
            for name in type(events).model_fields
            if name not in ("event_time", "event_type", "derived", "ignore_where")
        ],
    ]


def test_links_out_of_a_delivery_are_refused_by_name(tmp_path: Path) -> None:
    """Else a delivery could carry in any file that this user can read; links to folders aren't entered."""
    logs, outside = tmp_path / "logs", tmp_path / "outside"
    (logs / "2026-01-05").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.jsonl").write_text("{}\n")
    (logs / "2026-01-05" / "events.jsonl").write_text("{}\n")
    (logs / "2026-01-05" / "events-2.jsonl").symlink_to("events.jsonl")
    source = load_source("canonical")
    found = [file.name for file in find_files(source, logs)]
    assert found == ["2026-01-05/events-2.jsonl", "2026-01-05/events.jsonl"]
    targets = {"events-3.jsonl": outside / "secret.jsonl", "events-4.jsonl": outside / "nothing", "sub": outside}
    for name, target in targets.items():
        link = logs / "2026-01-05" / name
        link.symlink_to(target)
        with pytest.raises(DeliveryError, match=f"2026-01-05/{name}"):
            find_files(source, logs)
        link.unlink()


def test_file_that_no_pattern_matches_is_named(tmp_path: Path) -> None:
    """A log of another name isn't passed over in silence; files of the system are nobody's log."""
    folder = tmp_path / "2026-01-05"
    folder.mkdir()
    for name in ("events.jsonl", "clicks.json", "_SUCCESS", ".DS_Store"):
        (folder / name).write_text("{}\n")
    assert unread_files(load_source("canonical"), tmp_path) == ["2026-01-05/clicks.json"]
    assert unread_files(load_source("canonical"), folder / "events.jsonl") == []


def test_file_left_out_for_its_capitals_alone_is_refused(tmp_path: Path) -> None:
    """Half of the delivery would be missing."""
    folder = tmp_path / "2026-01-05"
    folder.mkdir()
    for name in ("events.jsonl", "EVENTS-2.jsonl", "events.JSONL"):
        (folder / name).write_text("{}\n")
    with pytest.raises(
        DeliveryError, match=r"2 file\(s\) would be read but for upper and lower case .*EVENTS-2\.jsonl"
    ):
        find_files(load_source("canonical"), tmp_path)


def test_values_of_a_file_without_a_header_are_not_shown(tmp_path: Path) -> None:
    """Its first line is taken for names, and may hold a shopper."""
    file = _file(tmp_path / "x.csv", b"2268318,ann@example.org,pv\n")
    with pytest.raises(DeliveryError, match=r"found: 9999999, aaa@aaaaaaa\.aaa, aa") as raised:
        measure(file, load_source("retailrocket"), KEY)
    assert "2268318" not in str(raised.value)


def test_a_file_may_hold_events_and_tell_of_their_shoppers(tmp_path: Path) -> None:
    """It is both, the table delivered when the source says; without `beside_events` it is the table alone."""
    (tmp_path / "hillstrom.csv").write_text("recency\n")
    source = load_source("hillstrom")
    found = [(one.kind, one.delivery_date) for one in find_files(source, tmp_path)]
    assert found == [("shoppers", date(2008, 3, 2)), ("events", None)]
    assert source.shoppers is not None
    alone = source.model_copy(update={"shoppers": source.shoppers.model_copy(update={"beside_events": False})})
    with pytest.raises(DeliveryError, match="no file that source hillstrom reads"):
        find_files(alone, tmp_path)


def test_a_side_table_knows_its_lines_by_their_number(tmp_path: Path) -> None:
    """The number is a column of the table's files as it is one of a feed's."""
    columns = "recency,history_segment,mens,womens,zip_code,newbie,channel,treatment,conversion,visit,spend"
    (tmp_path / "hillstrom.csv").write_text(f"{columns}\n")
    (shoppers, _) = find_files(load_source("hillstrom"), tmp_path)
    header = measure(shoppers, load_source("hillstrom"), KEY).header
    assert header is not None and header[-1] == "row"
