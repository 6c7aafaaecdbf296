"""What stands above a header is no record: neither read nor counted, however the file is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conf.specs.source import Source
from jobs.errors import DeliveryError
from jobs.landing.delivered_files import find_files, measure, read_columns
from jobs.landing.raw_lines import LineFile, read_batches, reading_of, side_reading
from tests.jobs.events.test_shoppers_apart import _source as numbered

KEY = b"a key for tests only"
TITLE = 'Sales, "2026\n\n'
ROWS = ["at,who", "2026-01-05T10:00:00Z,ann", "2026-01-05T10:01:00Z,bob"]


def _source(**form: Any) -> Source:
    content = numbered({"column": "who"}).model_dump(exclude_none=True, exclude_defaults=True)
    content["csv"] = {"has_header": True, "skip_lines": 2} | form
    consent = {"files": ["**/*.consent"], "format": "csv", "csv": content["csv"]}
    columns = {"user_id": {"column": "who"}, "is_given": {"column": "at"}}
    return Source.model_validate(content | {"consent": consent | {"columns": columns}})


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ({}, TITLE + "\n".join(ROWS), [(4, ROWS[1]), (5, ROWS[2])]),
        ({}, "\ufeff" + TITLE + "\n".join(ROWS), [(4, ROWS[1]), (5, ROWS[2])]),
        # A quote in the title opens no record.
        ({"quoted_line_breaks": True}, TITLE + "\n".join(ROWS) + "\n", [(4, ROWS[1]), (5, ROWS[2])]),
        ({"line_number": "row"}, TITLE + "\n".join(ROWS), [(4, f"{ROWS[1]},4"), (5, f"{ROWS[2]},5")]),
        ({"has_header": False, "columns": ("at", "who")}, TITLE + "\n".join(ROWS[1:]), [(3, ROWS[1]), (4, ROWS[2])]),
        ({}, TITLE + ROWS[0], []),
    ],
)
def test_lines_above_are_neither_read_nor_counted(
    tmp_path: Path, form: dict[str, Any], text: str, expected: list[tuple[int, str]]
) -> None:
    """Lines keep the numbers they have in the file; of a log and of a table beside it alike."""
    source = _source(**form)
    for name in ("2026-01-05.csv", "2026-01-05.consent"):
        (tmp_path / name).write_text(text)
    for file in find_files(source, tmp_path):
        reading = side_reading(source.side_tables["consent"], KEY) if file.kind != "events" else reading_of(source, KEY)
        found = [
            (number, line)
            for batch in read_batches(LineFile(file.path, file.name), reading)
            for number, line in zip(batch.numbers.tolist(), batch.lines.to_pylist(), strict=True)
        ]
        assert found == expected
        assert measure(file, source, KEY).n_lines == len(expected)
    header = read_columns(next(file for file in find_files(source, tmp_path) if file.kind == "events"), source)
    assert header == (None if "columns" in form else ("at", "who", *(["row"] if "line_number" in form else [])))


def test_a_header_that_stands_elsewhere_is_refused(tmp_path: Path) -> None:
    """The export lost its title: its first line of data is no header."""
    rows = [ROWS[0], "2026-01-05T10:00:00Z,ann-7", "2026-01-05T10:01:00Z,bob-8"]
    (tmp_path / "2026-01-05.csv").write_text("\n".join(rows) + "\n")
    (file,) = find_files(_source(), tmp_path)
    told = "column 'at' is missing.* in line 3 values stand: .* skip_lines"
    with pytest.raises(DeliveryError, match=f"the header doesn't fit source till: {told}") as refused:
        measure(file, _source(), KEY)
    # Values are somebody's: in their place stand their shapes.
    assert "bob" not in str(refused.value) and "aaa-9" in str(refused.value)


@pytest.mark.parametrize("name", ["2026-01-05.csv", "2026-01-05.consent"])
@pytest.mark.parametrize(
    ("skipped", "lines", "told"),
    [
        (0, ["Sales report", *ROWS], "line 2 holds the column names: say `skip_lines: 1` under `csv`"),
        (0, ["Sales, all shops", "", *ROWS], "line 3 holds the column names: say `skip_lines: 2` under `csv`"),
        (2, ROWS, "line 1 holds the column names: say `skip_lines: 0` under `csv`"),
        (0, ["Sales report", "day,who", *ROWS[1:]], "line 1 holds 1 and most lines below it 2 values"),
        (0, ["Sales report,", "day,who", *ROWS[1:]], "line 1 holds 1 and most lines below it 2 values"),
        (0, ["day,who", *ROWS[1:]], None),
        (0, ["day,who", *(f"{row}," for row in ROWS[1:])], None),
        (0, ["day", "2026-01-05T10:00:00Z"], None),
    ],
)
def test_a_title_above_the_column_names_is_told(
    tmp_path: Path, name: str, skipped: int, lines: list[str], told: str | None
) -> None:
    """Of a log and of a table beside it; a header with other names is none."""
    source = _source(skip_lines=skipped)
    (tmp_path / "2026-01-05.csv").write_text("a log is there\n")
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    file = next(one for one in find_files(source, tmp_path) if one.name == name)
    with pytest.raises(DeliveryError, match="the header doesn't fit") as refused:
        measure(file, source, KEY)
    found = str(refused.value)
    assert told in found if told else "say `skip_lines" not in found and "lines below it" not in found
    if name.endswith("csv"):
        with pytest.raises(DeliveryError) as seen:
            read_columns(file, source)
        assert str(seen.value) == found


def test_a_list_of_shoppers_without_its_header_is_not_quoted(tmp_path: Path) -> None:
    """Its first line may be somebody's, whatever it holds; names that merely differ are shown of any other file."""
    source = _source(skip_lines=0)
    (tmp_path / "2026-01-05.csv").write_text("day,customer\n")
    (tmp_path / "2026-01-05.consent").write_text("annmiller,no\n")
    for file in find_files(source, tmp_path):
        with pytest.raises(DeliveryError, match="the header doesn't fit") as refused:
            measure(file, source, KEY)
        assert ("customer" in str(refused.value)) is (file.kind == "events")
        assert "annmiller" not in str(refused.value)


UNNAMED = {"skip_lines": 1, "has_header": False, "columns": ("at", "who")}


@pytest.mark.parametrize("form", [{}, {"line_number": "row", "file_name": "file"}, {"quoted_line_breaks": True}])
@pytest.mark.parametrize("name", ["2026-01-05.csv", "2026-01-05.consent"])
def test_a_record_where_the_title_was_is_refused(tmp_path: Path, name: str, form: dict[str, Any]) -> None:
    """The export lost its title, and no header shows it: its first record would be gone without a word."""
    source = _source(**UNNAMED, **form)
    # Of consents, `who` is told by `at`, which is no flag: a title as wide as the rows holds no record either.
    (tmp_path / "2026-01-05.consent").write_text("yes or no,who\nyes,ann\n")
    for title in ("Sales", "2026-01-05,", ",", "at,who"):
        (tmp_path / "2026-01-05.csv").write_text(f"{title}\n{ROWS[1]}\n")
        for file in find_files(source, tmp_path):
            assert measure(file, source, KEY).n_lines == 1
    (tmp_path / name).write_text(f"{ROWS[1]}\n{ROWS[2]}\n" if name.endswith("csv") else "no,ann\nyes,bob\n")
    file = next(one for one in find_files(source, tmp_path) if one.name == name)
    for look in (measure, lambda file, source, _: read_columns(file, source)) if name.endswith("csv") else (measure,):
        with pytest.raises(DeliveryError, match=rf"{name}: line 1 reads as a record, and skip_lines: 1 would leave it"):
            look(file, source, KEY)


def test_a_mark_before_the_header_is_no_part_of_it(tmp_path: Path) -> None:
    """A title was put above a file that begins with a byte order mark, whose columns are filled."""
    source = _source(skip_lines=1, fill_down={"by": "at", "columns": ["who"]})
    path = tmp_path / "2026-01-05.csv"
    path.write_text("Sales\n\ufeff" + "\n".join([*ROWS[:2], "2026-01-05T10:00:00Z,", ""]))
    (file,) = find_files(source, tmp_path)
    assert measure(file, source, KEY).header == ("at", "who")
    (batch,) = read_batches(LineFile(file.path, file.name), reading_of(source, KEY))
    assert batch.lines.to_pylist() == [ROWS[1], ROWS[1]]
