"""Lines are completed from those before them, and with their number; nothing else of them changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from conf.specs.delivery import CsvFormat
from jobs.parsing.line_completion import LineCompleter, file_mark
from jobs.parsing.record_cutting import delimited_cutter, split_line

COLUMNS = ("order", "at", "sku", "note")
FILL = CsvFormat.model_validate(
    {"has_header": True, "fill_down": {"by": "order", "columns": ["at", "note"]}, "quoted_line_breaks": True}
)


def _completed(form: CsvFormat, lines: list[str]) -> list[str]:
    completer = LineCompleter(form, COLUMNS)
    return [completer.complete(line, number) for number, line in enumerate(lines, start=2)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["1,9:00,a,x", "1,,b,"], ["1,9:00,a,x", "1,9:00,b,x"]),
        (["1,9:00,a,x", "2,,b,"], ["1,9:00,a,x", "2,,b,"]),
        (["1,9:00,a,x", ",,b,"], ["1,9:00,a,x", ",,b,"]),
        (["1,9:00,a,", "1,,b,y", "1, ,c,"], ["1,9:00,a,", "1,9:00,b,y", "1,9:00,c,y"]),
        (["1,9:00,a,x", "1,10:00,b,z"], ["1,9:00,a,x", "1,10:00,b,z"]),
        (["1,9:00,a,x", "1,,b", "1,,c,"], ["1,9:00,a,x", "1,,b", "1,9:00,c,x"]),
        (
            ['1,9:00,a,"say ""x"",\nplease"', "1,,b,"],
            ['1,9:00,a,"say ""x"",\nplease"', '1,9:00,b,"say ""x"",\nplease"'],
        ),
        (["1,9:00,a,x", "\0\uf7e9", "", "1,,c,"], ["1,9:00,a,x", "\0\uf7e9", "", "1,9:00,c,x"]),
    ],
)
def test_empty_cells_are_those_of_the_line_before(lines: list[str], expected: list[str]) -> None:
    """As long as the lines belong together; lines that can't be cut stay as they are."""
    assert _completed(FILL, lines) == expected


def test_numbers_are_those_of_the_file() -> None:
    """Blank lines have none: they hold no record."""
    form = CsvFormat(has_header=True, line_number="row", delimiter="::")
    assert _completed(form, ["a::b", " ", "c"]) == ["a::b::2", " ", "c::4"]


def test_a_file_is_marked_in_its_lines_and_not_named() -> None:
    """Behind the number; the mark is the file's under one key, and another's under another."""
    form = CsvFormat(has_header=True, line_number="row", file_name="file")
    mark = file_mark("till 7/2026-01-05.csv", b"key")
    assert LineCompleter(form, COLUMNS, mark).complete("a,b", 2) == f"a,b,2,{mark}"
    assert form.with_added(COLUMNS) == (*COLUMNS, "row", "file")
    others = {file_mark("till 7/2026-01-06.csv", b"key"), file_mark("till 7/2026-01-05.csv", b"other")}
    assert len({mark, *others}) == 3
    assert set(mark) <= set("0123456789abcdef")
    with pytest.raises(ValidationError, match="there is another column 'row'"):
        CsvFormat(has_header=True, line_number="row", file_name="row")


@pytest.mark.parametrize(
    "added", [{"line_number": "row"}, {"file_name": "file"}, {"line_number": "row", "file_name": "file"}]
)
def test_what_is_added_never_stands_for_a_cell_that_lacks(added: dict[str, str]) -> None:
    """Without a header, a line may lack values that nobody maps; what is added behind it would be another column."""
    form = CsvFormat.model_validate({"has_header": False, "columns": COLUMNS, **added})
    header = form.with_added(COLUMNS)
    cut = delimited_cutter(form, header, [form.added[0]], frozenset())
    found = [
        cut(LineCompleter(form, COLUMNS, "mark").complete(line, 7)) for line in ("1,9:00,a,x", "1,9:00,a", "1,9:00")
    ]
    assert [one is not None and one.is_half for one in found] == [False, True, True]


CELLS = st.text(st.sampled_from('ab,;"\n '), max_size=5)


@given(rows=st.lists(st.tuples(st.sampled_from(["1", "2"]), CELLS, CELLS, CELLS), max_size=6))
def test_filled_lines_cut_into_what_was_meant(rows: list[tuple[str, ...]]) -> None:
    """Whatever quotes and line breaks the values hold: a reference on values gives the same."""
    lines = [",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row) for row in rows]
    expected: list[list[str]] = []
    for row in map(list, rows):
        above = expected[-1] if expected and expected[-1][0] == row[0] else row
        for place in (1, 3):
            row[place] = row[place] if row[place].strip(" ") else above[place]
        expected.append(row)
    found = [split_line(line, FILL) for line in _completed(FILL, lines)]
    assert [[cell.strip(" ") for cell in row or []] for row in found] == [
        [cell.strip(" ") for cell in row] for row in expected
    ]
