"""A look at a log is at all of its files, as far as it takes seconds, and says what it left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.specs.source import load_source
from jobs.commands.line_samples import shares
from jobs.commands.source_check import check_source, report_lines
from tests.jobs.event_rows import source
from tests.jobs.shop_logs import DAYS, day_lines, deliver


@pytest.mark.parametrize(
    ("available", "n_lines", "expected"),
    [
        ([1000], 1000, [1000]),
        ([1000, 1000], 1000, [500, 500]),
        ([1000] * 3, 1000, [500, 250, 250]),
        ([10, 1000, 1000], 1000, [10, 740, 250]),
        ([1000, 10, 0], 1000, [990, 10, 0]),
        ([10, 10], 1000, [10, 10]),
        ([], 1000, []),
    ],
)
def test_what_a_file_lacks_the_others_give(available: list[int], n_lines: int, expected: list[int]) -> None:
    assert shares(available, n_lines) == expected
    assert sum(expected) <= n_lines


def _logs(folder: Path, n_files: int, n_lines: int) -> Path:
    for number in range(n_files):
        lines = [f"{n},2,3,{'pv' if number < n_files - 1 else 'zoom'},1511544070\n" for n in range(n_lines)]
        path = folder / f"log-{number:02d}.csv"
        folder.mkdir(exist_ok=True)
        path.write_text("".join(lines))
    return folder


def test_the_last_file_is_looked_at_too(tmp_path: Path) -> None:
    """Its lines are of another kind than those of the first, which alone fill the look."""
    logs = _logs(tmp_path / "logs", 30, 2_000)
    ((check,), unread) = check_source(load_source("taobao"), logs, 1_000)
    assert check.n_lines == 1_000
    assert check.unknown_words() == {"zoom": 55}
    result = check.result()
    assert (result["n_files"], result["n_files_looked_at"]) == (30, 10)
    assert 55_000 <= result["n_lines_about"] <= 66_000
    report = report_lines([check], unread, load_source("taobao"))
    assert report[0].startswith("taobao: 1000 lines of about 6")
    assert "from the beginning, middle and end of 10 of 30 files: log-00.csv, log-03.csv, log-06.csv, ..." in report[0]


def test_nothing_is_said_to_be_left_out_where_nothing_is(tmp_path: Path) -> None:
    logs = _logs(tmp_path / "logs", 2, 9)
    ((check,), unread) = check_source(load_source("taobao"), logs, 1_000)
    assert report_lines([check], unread, load_source("taobao"))[0] == "taobao: 18 lines of log-00.csv, log-01.csv"
    assert check.result()["n_lines_about"] == 18


def test_a_file_that_was_not_looked_at_is_named_where_it_was_cut(tmp_path: Path) -> None:
    """Of all files the end is looked at, however many there are."""
    logs = _logs(tmp_path / "logs", 15, 3)
    (logs / "log-01.csv").write_text("1,2,3,pv,1511544070\n1,2,3,pv,15115440")
    assert check_source(load_source("taobao"), logs)[0][0].unended == ["log-01.csv"]


def test_a_file_that_holds_its_delivery_back_is_named(tmp_path: Path) -> None:
    """The others are looked at all the same."""
    for day in DAYS:
        deliver(tmp_path, day, day_lines(day))
    (tmp_path / str(DAYS[1]) / "events.jsonl").write_bytes("\n".join(day_lines(DAYS[1])).encode("utf-16"))
    ((check,), _) = check_source(source(), tmp_path)
    assert list(check.unfit) == [f"{DAYS[1]}/events.jsonl"]
    assert check.n_lines == len(day_lines(DAYS[0])) + len(day_lines(DAYS[2]))
    assert "its delivery would be held back" in (check.problem() or "")
