"""A shop's own ids beside what they are called in lists: as ingest makes them, and in a file for its owner alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from conf.pseudonyms import pseudonym
from conf.specs.source import Source, load_source
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


def _folding(name: str) -> Source:
    """Return a source that reads shoppers' capitals as small letters where its name says so."""
    found = load_source("simulated_shop")
    user = found.events.user_id.model_copy(update={"fold_case": name == "folding"})
    return found.model_copy(update={"name": name, "events": found.events.model_copy(update={"user_id": user})})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with an id that has capitals, and sources of which one folds them."""
    monkeypatch.setattr("rl.commands.pseudonyms.load_source", _folding)
    monkeypatch.setattr("rl.commands.pseudonyms.source_names", lambda: ["folding", "keeping"])
    (tmp_path / "ids").write_text("AB-7\nab-7\n")
    return tmp_path


@pytest.mark.parametrize(
    ("held", "source", "read"),
    [
        (["folding"], None, "ab-7"),
        (["keeping", "_locks", "without_yaml"], None, "AB-7"),
        ([], None, "AB-7"),
        (["folding", "keeping"], "keeping", "AB-7"),
        ([], "folding", "ab-7"),
    ],
)
def test_capitals_are_read_as_the_source_reads_them(home: Path, held: list[str], source: str | None, read: str) -> None:
    """Beside the id as the file has it, by which the shop joins."""
    settings = settings_at(home)
    for name in held:
        (settings.lake / name).mkdir(parents=True)
    run(settings=settings, ids=home / "ids", column=None, out=home / "out", source=source)
    key = KEY.encode()
    assert _written(home / "out")[1:] == [["AB-7", pseudonym(read, key)], ["ab-7", pseudonym("ab-7", key)]]


def test_sources_that_read_capitals_in_two_ways_ask_which_is_meant(home: Path) -> None:
    settings = settings_at(home)
    for name in ("folding", "keeping"):
        (settings.lake / name).mkdir(parents=True)
    with pytest.raises(ServingError, match=r"such as SOURCE=folding"):
        run(settings=settings, ids=home / "ids", column=None, out=home / "out")
    assert not (home / "out").exists()


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
