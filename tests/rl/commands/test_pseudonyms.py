"""A shop's own ids beside what they are called in lists: as ingest makes them, and in a file for its owner alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from conf.pseudonyms import pseudonym
from rl.commands.pseudonyms import run
from rl.errors import ServingError
from tests.rl.serving.served_home import KEY, settings_at


def _written(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_each_id_stands_once_beside_its_pseudonym(tmp_path: Path) -> None:
    ids, out = tmp_path / "ids.csv", tmp_path / "out.csv"
    ids.write_text('name,customer\nAnn,17850\n"Bob, jr", 22 \nAnn,17850\nnobody,\nnobody,NULL\n', encoding="utf-8-sig")
    result = run(settings=settings_at(tmp_path), ids=ids, column="customer", out=out)
    key = KEY.encode()
    expected = [["17850", pseudonym("17850", key)], ["22", pseudonym("22", key)]]
    assert _written(out) == [["id", "user_id"], *expected]
    assert result == {"n_ids": 2, "file": str(out)}
    assert out.stat().st_mode & 0o777 == 0o600


def test_lines_are_ids_where_no_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("a\nb\n\n")
    run(settings=settings_at(tmp_path), ids=tmp_path / "ids", column=None, out=tmp_path / "out")
    assert [row[0] for row in _written(tmp_path / "out")] == ["id", "a", "b"]


@pytest.mark.parametrize(
    ("content", "column", "why"),
    [
        (b"a,b\n1,2\n", "c", "no column 'c'; it has a, b"),
        (b"", "c", "no column 'c'; it has none"),
        (b"\n\n", None, "holds no ids"),
        (b"M\xfcller\n", None, "is not UTF-8"),
        (None, None, "no such file"),
    ],
)
def test_what_cant_be_read_is_refused_and_writes_nothing(
    tmp_path: Path, content: bytes | None, column: str | None, why: str
) -> None:
    if content is not None:
        (tmp_path / "ids").write_bytes(content)
    with pytest.raises(ServingError, match=why):
        run(settings=settings_at(tmp_path), ids=tmp_path / "ids", column=column, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "ids").write_text("a\n")
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ServingError, match="is there already"):
        run(settings=settings_at(tmp_path), ids=tmp_path / "ids", column=None, out=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"
