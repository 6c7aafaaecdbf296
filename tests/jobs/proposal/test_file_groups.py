"""A file with a name of its own neither ends a draft nor becomes a log of its own without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from conf.specs.source import Source
from conf.specs.strict_yaml import parse_model
from jobs.commands.source_check import check_source
from jobs.proposal.proposal import propose

HEADER = "at;user_id;item_id;event"


def _day(folder: Path, name: str, day: int, header: str = HEADER) -> None:
    rows = [f"2026-05-{day:02d}T10:{n:02d}:00Z;u{n};i{n % 3};{('view', 'purchase')[n % 2]}" for n in range(20)]
    if header != HEADER:
        rows = [f"{row};web" for row in rows]
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join([header, *rows, ""]))


def _shop(folder: Path) -> Path:
    for day in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13):
        _day(folder, f"Bons_2026-05-{day:02d}.csv", day)
    return folder


@pytest.mark.parametrize("name", ["Bons-20260508.csv", "kopie 2026-05-08.csv", "Bons_2026-05-08 (1).csv"])
def test_a_misnamed_file_of_the_same_columns_is_asked_about(tmp_path: Path, name: str) -> None:
    """It is read with the others, on its day."""
    logs = _shop(tmp_path / "logs")
    _day(logs, name, 8)
    text = propose([logs], "shop")
    assert f"# unsure: {name} is named unlike the other 12, with the same columns" in text
    source = parse_model(Source, yaml.safe_load(text), "draft")
    assert source.delivery.layout == "dated_files"
    ((check,), unread) = check_source(source, logs)
    assert (check.n_files, check.n_rejected, unread, check.problem()) == (13, 0, [], None)


def test_files_that_are_called_alike_and_have_other_columns_are_feeds_of_their_own(tmp_path: Path) -> None:
    """Each with a name; two feeds of one name are no source."""
    logs = _shop(tmp_path / "logs")
    _day(logs, "Bons-20260508.csv", 8, f"{HEADER};channel")
    text = propose([logs], "shop")
    source = parse_model(Source, yaml.safe_load(text), "draft")
    assert sorted(source.feeds_alone()) == ["bons", "bons_2"]
    assert "named unlike" not in text


def test_two_logs_of_the_same_columns_stay_two(tmp_path: Path) -> None:
    """A till and a web shop may export alike; nobody calls either of them misnamed."""
    for name in ("till", "web"):
        for day in (1, 2, 3):
            _day(tmp_path / "logs", f"{name}_2026-05-{day:02d}.csv", day)
    text = propose([tmp_path / "logs"], "shop")
    assert sorted(parse_model(Source, yaml.safe_load(text), "draft").feeds_alone()) == ["till", "web"]
    assert "named unlike" not in text


def test_one_file_of_returns_is_no_stray_of_the_sales(tmp_path: Path) -> None:
    """It has their columns, and would be read as further sales."""
    logs = _shop(tmp_path / "logs")
    _day(logs, "returns.csv", 8)
    text = propose([logs], "shop")
    assert sorted(parse_model(Source, yaml.safe_load(text), "draft").feeds_alone()) == ["bons", "returns"]
