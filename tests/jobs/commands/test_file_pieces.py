"""What stands in the middle and at the end of a file is looked at too, with its line number."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

import jobs.commands.file_pieces
from conf.specs.source import load_source
from jobs.commands.file_pieces import FilePieces, read_pieces
from jobs.commands.source_check import check_source
from jobs.landing.delivered_files import DeliveredFile, find_files
from jobs.landing.raw_lines import reading_of
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import DAYS, day_lines, deliver, line

TAOBAO = load_source("taobao")


def _pieces(path: Path, n_lines: int) -> FilePieces:
    (file,) = find_files(TAOBAO, path)
    assert isinstance(file, DeliveredFile)
    return read_pieces(file, reading_of(TAOBAO, b"key"), n_lines)


def _log(path: Path, n_lines: int) -> Path:
    path.write_text("".join(f"{n},2,3,pv,1511544070\n" for n in range(1, n_lines + 1)))
    return path


@pytest.mark.parametrize("is_small", [True, False])
def test_middle_and_end_are_of_the_file_with_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_small: bool
) -> None:
    """A large file's are found by seeking; the numbers are those that an editor shows."""
    if not is_small:
        monkeypatch.setattr(jobs.commands.file_pieces, "SMALL_TEXT", 0)
    found = _pieces(_log(tmp_path / "log.csv", 5_000), 100)
    lines = found.taken(100)
    assert [number for number, _, _ in lines] == [int(text.partition(",")[0]) for _, text, _ in lines]
    assert [number for number, _, _ in lines[:50]] == list(range(1, 51))
    assert [number for number, _, _ in lines[-25:]] == list(range(4_976, 5_001))
    assert all(2_300 < number < 2_700 for number, _, _ in lines[50:75])
    assert len(lines) == 100
    assert found.taken(3) == found.head[:3]


@pytest.mark.parametrize("is_small", [True, False])
@pytest.mark.parametrize("n_lines", [0, 1, 99, 100, 101, 110, 130])
def test_no_line_is_taken_twice_of_a_short_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_lines: int, is_small: bool
) -> None:
    if not is_small:
        monkeypatch.setattr(jobs.commands.file_pieces, "SMALL_TEXT", 0)
    path = tmp_path / "log.csv"
    found = _pieces(_log(path, n_lines), 100) if n_lines else FilePieces([], [], [])
    numbers = [number for number, _, _ in found.taken(100)]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == min(n_lines, 100)
    assert not n_lines or numbers[-1] == n_lines


def test_a_large_packed_files_beginning_alone_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small one is read whole."""
    content = "".join(f"{n},2,3,pv,1511544070\n" for n in range(1, 5_001)).encode()
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(content))
    assert _pieces(tmp_path / "log.csv.gz", 100).taken(100)[-1][0] == 5_000
    monkeypatch.setitem(jobs.commands.file_pieces.SMALL, ".gz", 100)
    assert _pieces(tmp_path / "log.csv.gz", 100).taken(100)[-1][0] == 100


def test_check_says_that_evenings_lie_beyond_the_day(tmp_path: Path) -> None:
    """As ingest does, which would hold the delivery back."""
    lines = [line(DAYS[0], n, event_id=f"{n}") for n in range(0, 1440, 1)]
    late = [line(DAYS[0], 1440 + n, event_id=f"late{n}") for n in range(150)]
    deliver(tmp_path, DAYS[0], [*lines, *late])
    ((check,), _) = check_source(source(), tmp_path)
    told = "h past the delivery's day: is `zone` right, or do its files hold whole sessions"
    assert told in (check.problem() or "")
    assert any(told in one for one in check.warnings())
    deliver(tmp_path, DAYS[0], day_lines(DAYS[0]))
    ((check,), _) = check_source(source(), tmp_path)
    assert (check.problem(), check.beyond()) == (None, None)
