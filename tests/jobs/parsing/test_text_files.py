"""Text files of any packing, encoding and delimiter give the records that were written to them."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conf.specs.delivery import CsvFormat
from conf.specs.event_mapping import EventMapping
from conf.specs.source import Source
from jobs.errors import DeliveryError
from jobs.landing.delivered_files import DeliveredFile, measure
from jobs.landing.parsed_lines import BatchParser
from jobs.landing.raw_lines import LineFile, read_batches, reading_of
from jobs.parsing.record_cutting import split_line
from jobs.parsing.text_files import UnclosedLine, open_bytes, records
from tests.jobs.event_rows import source

KEY = b"a key for tests only"
DAY = date(2026, 1, 5)
TIME = "2026-01-05 12:00:00"
EVENTS = EventMapping.model_validate(
    {
        "event_time": {"column": "time", "unit": "iso"},
        "event_type": {"column": "type", "map": {"view": "view"}},
        "user_id": {"column": "user", "required": True},
        "item_id": {"column": "item"},
    }
)
HEADER = ["time", "type", "user", "item", "note"]


def _shop(encoding: str = "utf-8", **csv: Any) -> Source:
    form = CsvFormat.model_validate({"has_header": True} | csv)
    return source(format="csv", csv=form, encoding=encoding, events=EVENTS)


def _read(path: Path, shop: Source, name: str = "2026-01-05/log") -> list[tuple[int, str | None, str | None]]:
    """(line number, user, reason) of each record, after the counts of landing and reading were compared."""
    measured = measure(DeliveredFile(path, name, "events", DAY), shop, KEY)
    parser = BatchParser(shop, [measured.header or ()])
    found = []
    for batch in read_batches(LineFile(path, name, DAY), reading_of(shop, KEY)):
        for number, parsed in zip(batch.numbers.tolist(), parser.parse(batch), strict=True):
            found.append((number, parsed.user_id, parsed.refusal.reason if parsed.refusal else None))
    assert len(found) == measured.n_lines
    return found


@pytest.mark.parametrize("delimiter", [",", "tab", "::", ";", "|", " | "])
def test_any_delimiter_separates(tmp_path: Path, delimiter: str) -> None:
    """One character or several, a tab among them."""
    mark = "\t" if delimiter == "tab" else delimiter
    rows = [HEADER, [TIME, "view", "ann", "shoe", "x"], [TIME, "view", f'"bob{mark}""b"""', "", "y"], [TIME, "view"]]
    path = tmp_path / "log.csv"
    path.write_text("".join(mark.join(row) + "\n" for row in rows))
    assert _read(path, _shop(delimiter=delimiter)) == [
        (2, "ann", None),
        (3, f'bob{mark}"b"', None),
        (4, None, "missing_field"),
    ]


def test_quotes_mean_nothing_where_the_source_says_so() -> None:
    """An inch mark is no quote in a log of tabs."""
    form = CsvFormat(has_header=True, delimiter="tab", quote="")
    assert split_line('5" pipe\t"x\ty', form) == ['5" pipe', '"x', "y"]


def _gzip(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content))


def _zstd(path: Path, content: bytes) -> None:
    path.write_bytes(pa.compress(content, codec="zstd", asbytes=True))


def _zip(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/", b"")
        archive.writestr("folder/log.csv", content)


@pytest.mark.parametrize(("suffix", "pack"), [("gz", _gzip), ("zst", _zstd), ("zip", _zip)])
def test_packed_file_is_read_whole_or_refused(tmp_path: Path, suffix: str, pack: Callable[[Path, bytes], None]) -> None:
    """A file cut off in the middle is refused before anything is landed."""
    rows = "".join(f"{TIME},view,ann{n},shoe,{n * 7919 % 1000}\n" for n in range(5000))
    path = tmp_path / f"log.csv.{suffix}"
    pack(path, (",".join(HEADER) + "\n" + rows).encode())
    assert [user for _, user, _ in _read(path, _shop())] == [f"ann{n}" for n in range(5000)]
    whole = path.read_bytes()
    for cut in (10, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:cut])
        with pytest.raises(DeliveryError, match="deliver it again"):
            measure(DeliveredFile(path, "2026-01-05/log", "events", DAY), _shop(), KEY)


def test_zip_of_several_files_is_refused(tmp_path: Path) -> None:
    """Which of them is the log, nobody has said."""
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as archive:
        archive.writestr("a.csv", b"x")
        archive.writestr("b.csv", b"y")
    with (
        pytest.raises(DeliveryError, match=r"expected one file in the zip, found a\.csv, b\.csv"),
        open_bytes(tmp_path / "log.zip"),
    ):
        pass


def test_encoding_is_the_sources(tmp_path: Path) -> None:
    """Latin-1 gives the same shopper as UTF-8."""
    line = f"{','.join(HEADER)}\n{TIME},view,änn,shoe,x\n"
    for encoding in ("utf-8", "utf-8-sig", "latin-1", "cp1252"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(line.encode(encoding))
        shop = _shop(encoding="utf-8" if encoding == "utf-8-sig" else encoding)
        assert _read(path, shop) == [(2, "änn", None)]


def test_byte_that_is_no_text_rejects_a_line_only_in_a_mapped_column(tmp_path: Path) -> None:
    """A note in another encoding is nobody's loss; lines of other bytes are other lines."""
    path = tmp_path / "log.csv"
    start = f"{TIME},view,".encode()
    lines = [b"ann,shoe,caf\xe9", b"ann,shoe,caf\xe8", b"\xe4nn,shoe,x", b"ann,\xff,x", b"ann,shoe,caf\xe9"]
    path.write_bytes(",".join(HEADER).encode() + b"\n" + b"".join(start + line + b"\n" for line in lines))
    assert [(user, reason) for _, user, reason in _read(path, _shop())] == [
        ("ann", None),
        ("ann", None),
        (None, "unreadable"),
        (None, "unreadable"),
        ("ann", None),
    ]
    (batch,) = read_batches(LineFile(path, "log"), reading_of(_shop(), KEY))
    hashes = batch.hashes.to_pylist()
    assert [hashes.index(one) for one in hashes] == [0, 1, 2, 3, 0]
    record = {"event_time": TIME, "event_type": "view", "user_id": "ann", "note": "café"}
    (tmp_path / "log.jsonl").write_bytes(json.dumps(record, ensure_ascii=False).encode("latin-1") + b"\n")
    assert _read(tmp_path / "log.jsonl", source()) == [(1, "ann", None)]


def test_record_goes_over_several_lines_where_the_source_says_so(tmp_path: Path) -> None:
    """Its place is its first line's; a quote that nothing closes rejects one line and no more."""
    path = tmp_path / "log.csv"
    path.write_text(
        f'{",".join(HEADER)}\n{TIME},view,ann,shoe,"two\n""lines"""\n{TIME},view,bob,shoe,x\n'
        f'{TIME},view,dan,shoe,"three\r\nlines,\n"\n{TIME},view,"eve,shoe,x\n{TIME},view,fay,shoe,x\n'
    )
    assert _read(path, _shop(quoted_line_breaks=True)) == [
        (2, "ann", None),
        (4, "bob", None),
        (5, "dan", None),
        (8, None, "unreadable"),
        (9, "fay", None),
    ]
    assert [number for number, _, _ in _read(path, _shop())] == list(range(2, 10))


def test_quote_that_stays_open_hides_no_line() -> None:
    """After it every line is a record of its own again, with its right offset."""
    content = b'"open\n' + b"line\n" * 1500
    found = list(records(io.BytesIO(content), CsvFormat(has_header=True, quoted_line_breaks=True)))
    assert len(found) == 1501
    assert isinstance(found[0][2], UnclosedLine)
    assert found[-1][:2] == (1501, len(content) - 5)
