"""Day and month are told apart where anything in the files tells, and asked about where nothing does."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.proposal.day_order import DayOrder, day_order
from jobs.proposal.proposal import propose

MARCH = [date(2026, 3, day) for day in range(1, 8)]


def written(days: list[date], *, is_day_first: bool) -> list[str | None]:
    return [
        f"{day.day}/{day.month}/2026 10:00" if is_day_first else f"{day.month}/{day.day}/2026 10:00" for day in days
    ]


@pytest.mark.parametrize("is_day_first", [True, False])
def test_one_value_above_twelve_decides(is_day_first: bool) -> None:
    """However late it stands."""
    days = [*[MARCH[1]] * 900, date(2026, 3, 13)]
    assert day_order(written(days, is_day_first=is_day_first)) == DayOrder(is_day_first)


@pytest.mark.parametrize("is_day_first", [True, False])
def test_days_in_file_names_decide(is_day_first: bool) -> None:
    """A single day is enough; of a file without a day nothing follows."""
    values = written([date(2026, 3, 4)] * 5, is_day_first=is_day_first)
    assert day_order(values, [date(2026, 3, 4)] * 5).is_day_first is is_day_first
    assert day_order(values, [None] * 5) == DayOrder(None)
    assert day_order(values, [date(2026, 9, 9)] * 5) == DayOrder(None)  # neither reading is of that day


@pytest.mark.parametrize("is_day_first", [True, False])
def test_days_that_follow_each_other_decide(is_day_first: bool) -> None:
    """Misread, they would be a month apart."""
    found = day_order(written(MARCH, is_day_first=is_day_first))
    assert (found.is_day_first, found.why) == (is_day_first, "since its days then follow each other")


@pytest.mark.parametrize(
    "values",
    [
        ["3/4/2026", "3/4/2026"],
        ["4/4/2026"],
        ["13/4/2026", "4/13/2026"],
        [None, "none"],
        ["2/2/2026", "3/3/2026", "4/4/2026"],
    ],
)
def test_where_nothing_tells_nothing_is_decided(values: list[str | None]) -> None:
    """One day, days that read alike, and a column that is written in both ways."""
    assert day_order(values) == DayOrder(None)


def draft(folder: Path, days: list[date], name: str, *, is_day_first: bool) -> tuple[dict[str, Any], str]:
    for day in days:
        rows = [f"{one};u{n % 9};i{n % 5};view" for n, one in enumerate(written([day] * 20, is_day_first=is_day_first))]
        path = folder / name.format(day)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("\n".join([*([] if file.tell() else ["at;user_id;item_id;event"]), *rows, ""]))
    text = propose([folder], "shop")
    return yaml.safe_load(text), text


@pytest.mark.parametrize(("is_day_first", "pattern"), [(True, "d/M/yyyy H:mm[:ss]"), (False, "M/d/yyyy H:mm[:ss]")])
def test_drafts_decide_by_files_and_by_order(tmp_path: Path, is_day_first: bool, pattern: str) -> None:
    """Whichever is tried first; days that are read right make files of a day deliveries."""
    found, text = draft(tmp_path / "daily", [MARCH[3]], "log_{:%Y%m%d}.csv", is_day_first=is_day_first)
    assert (found["events"]["event_time"]["pattern"], found["delivery"]["layout"]) == (pattern, "dated_files")
    assert f"read as {pattern} by the days in the files' names" in text
    found, text = draft(tmp_path / "one", MARCH, "log.csv", is_day_first=is_day_first)
    assert found["events"]["event_time"]["pattern"] == pattern
    assert "asked: at:" not in text


def test_drafts_ask_where_nothing_tells(tmp_path: Path) -> None:
    """In a line of its own, with what to write."""
    _, text = draft(tmp_path, [MARCH[3]], "log.csv", is_day_first=True)
    assert "# asked: at: is 3/4 the 3rd of April or the 4th of March? Nothing in the files tells." in text
    assert "for the other order write pattern: d/M/yyyy H:mm[:ss]" in text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("log_{:%Y%m%d}_web.csv", "export"),
        ("{0:%Y}/{0:%m}/{0:%d}/log.csv", "folders"),
        ("year={0:%Y}/month={0:%m}/day={0:%d}/log.csv", "hive"),
        ("Kasse_{0.day}.{0.month}.{0.year}.csv", "dots"),
        ("till {0:%d}-{0:%m}-{0:%Y}.csv", "dashes"),
        ("till {0:%Y}_{0:%m}_{0:%d}.csv", "underscores"),
        ("till {0:%m}-{0:%d}-{0:%Y}.csv", "month first"),
    ],
)
def test_days_in_any_path_make_deliveries(tmp_path: Path, name: str, expected: str) -> None:
    """Files are those of their days, however the path writes these."""
    days = [date(2026, 3, day) for day in (3, 4, 28)]
    found, _ = draft(tmp_path, days, name, is_day_first=True)
    assert found["delivery"]["layout"] == "dated_files", expected
